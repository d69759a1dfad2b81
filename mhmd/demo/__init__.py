"""What `mhmd demo` works on, all of it out of declared packages: films, manifests, pictures to colour."""
