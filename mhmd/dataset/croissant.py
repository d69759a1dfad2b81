"""The dataset's Croissant 1.1 description, with the fields of its extension for responsible AI."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import TYPE_CHECKING

from mhmd.records import SampleRow, columns_of
from mhmd.splits import SPLITS

if TYPE_CHECKING:
    from mhmd.dataset.facts import Facts

CONTEXT = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "arrayShape": "cr:arrayShape",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "containedIn": "cr:containedIn",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "description": {"@container": "@language"},
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileProperty": "cr:fileProperty",
    "fileObject": "cr:fileObject",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isArray": "cr:isArray",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "name": {"@container": "@language"},
    "parentField": "cr:parentField",
    "path": "cr:path",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}
TYPES = {"string": "sc:Text", "int32": "sc:Integer", "int64": "sc:Integer", "float64": "sc:Float"}


def croissant(facts: Facts, sums: Mapping[str, str]) -> dict[str, object]:
    """The JSON-LD. `sums` has the SHA-256 of each file. https://docs.mlcommons.org/croissant/docs/croissant-spec.html"""
    rights = facts.films["rights"].drop_null().unique().to_pylist()
    made_from = hashlib.sha256("".join(shard.digest for shard in facts.shards).encode()).hexdigest()
    return {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": ["http://mlcommons.org/croissant/1.1", "http://mlcommons.org/croissant/RAI/1.0"],
        "name": "mhmd",
        "description": "Frames of films with human-parsing masks and labels of era, nationality and garment, for "
        "training colorization.",
        "version": f"0.0.0+{made_from[:12]}",
        "license": "; ".join(sorted(rights)) or "rights in the frames are those of the films",
        "distribution": _files(facts, sums),
        "recordSet": [_splits(), _samples()],
        **{f"rai:{name}": text for name, text in _responsible(facts).items()},
    }


def _files(facts: Facts, sums: Mapping[str, str]) -> list[dict[str, object]]:
    kinds = {"samples.parquet": "application/x-parquet"}
    kinds |= dict.fromkeys((shard.name for shard in facts.shards), "application/x-tar")
    sizes = {shard.name: {"contentSize": f"{shard.size_bytes} B"} for shard in facts.shards}
    return [
        {
            "@type": "cr:FileObject",
            "@id": name,
            "name": name,
            **sizes.get(name, {}),
            "contentUrl": name,
            "encodingFormat": kind,
            "sha256": sums[name],
        }
        for name, kind in kinds.items()
    ]


def _splits() -> dict[str, object]:
    urls = {"train": "cr:TrainingSplit", "val": "cr:ValidationSplit", "test": "cr:TestSplit"}
    return {
        "@type": "cr:RecordSet",
        "@id": "splits",
        "name": "splits",
        "dataType": "cr:Split",
        "key": {"@id": "splits/name"},
        "field": [
            {"@type": "cr:Field", "@id": "splits/name", "name": "name", "dataType": "sc:Text"},
            {"@type": "cr:Field", "@id": "splits/url", "name": "url", "dataType": "sc:URL"},
        ],
        "data": [{"splits/name": split, "splits/url": urls[split]} for split in SPLITS],
    }


def _samples() -> dict[str, object]:
    fields = []
    for column in columns_of(SampleRow):
        field: dict[str, object] = {
            "@type": "cr:Field",
            "@id": f"samples/{column.name}",
            "name": column.name,
            "description": column.doc,
            "dataType": TYPES[column.arrow],
            "source": {"fileObject": {"@id": "samples.parquet"}, "extract": {"column": column.name}},
        }
        if column.name == "split":
            field["references"] = {"field": {"@id": "splits/name"}}
        fields.append(field)
    return {
        "@type": "cr:RecordSet",
        "@id": "samples",
        "name": "samples",
        "description": "A row a sample: all that its JSON says, and where its picture, mask and JSON lie in a shard.",
        "key": {"@id": "samples/key"},
        "field": fields,
    }


def _responsible(facts: Facts) -> dict[str, str]:
    from mhmd.dataset.facts import absent

    films = len(facts.rows["film_id"].unique())
    return {
        "dataCollection": f"Frames of {films} films, decoded once; the sharpest of each interval of a shot, away from "
        "transitions.",
        "dataCollectionType": "Secondary data: films",
        "dataCollectionMissingData": absent(facts).replace("\n", " ").strip(),
        "dataPreprocessingProtocol": "Bars cut off; black, blurred, gray, tinted and text frames and transitions "
        "rejected; near-duplicates dropped.",
        "dataAnnotationProtocol": "Era, nationality and garment by people, for a film, a range or a frame.",
        "machineAnnotationTools": f"Masks by the human parser {facts.parser}.",
        "dataUseCases": "Training and evaluation of colorization; segmentation of clothes; classification.",
        "dataLimitations": "Masks are not corrected by people. Labels say what films show, not what was worn.",
        "dataBiases": "What films there are decides which eras, nationalities and garments are seen, and how.",
        "personalSensitiveInformation": "Faces of actors and, in documentary footage, of real persons.",
        "dataReleaseMaintenancePlan": "A film is taken down by its exclude in the films manifest and a new dataset.",
    }
