"""Documents of file_sd and http_sd, and the labels that Prometheus makes of them.

`tests/real/test_sd_prometheus.py` gives the same documents to a real Prometheus. The first of each form have the shapes
of the examples and tests of Prometheus itself.
"""

from dataclasses import dataclass

Found = list[dict[str, str]] | None
"""The labels of each target in order; None: the document is refused."""


@dataclass(frozen=True)
class SdDocument:
    """A document, and what is found in it.

    Attributes:
        ours: what the exporter finds where that differs from Prometheus on purpose.
    """

    content: str | bytes
    found: Found
    ours: Found | str = "the same"

    @property
    def data(self) -> bytes:
        return self.content if isinstance(self.content, bytes) else self.content.encode()

    @property
    def expected(self) -> Found:
        """What the exporter has to find."""
        return self.found if isinstance(self.ours, str) else self.ours


def _at(address: str, **labels: str) -> dict[str, str]:
    return {"__address__": address, **labels}


A = [_at("a")]
REFUSED: Found = None

YAML = {
    "two_groups": SdDocument(
        "- targets: ['one.test:9090', \"two.test:443\"]\n  labels:\n    team: web\n\n- targets: ['three']\n",
        [_at("one.test:9090", team="web"), _at("two.test:443", team="web"), _at("three")],
    ),
    "labels_first": SdDocument(
        "# a comment\n- labels: {__meta_datacenter: x, team: web}\n  targets: [a]\n",
        [_at("a", __meta_datacenter="x", team="web")],
    ),
    "null_group": SdDocument("- targets: [a]\n  labels:\n    team: web\n\n- null\n", REFUSED),
    "missing_group": SdDocument("- targets: [a]\n-\n", REFUSED),
    "nulls": SdDocument("- labels:\n  targets:\n- targets: [a]\n  labels:\n", A),
    "null_target": SdDocument("- targets: [a, ~, b]\n", [_at("a"), {}, _at("b")]),
    "null_label": SdDocument("- targets: [a]\n  labels: {x: , y: ~, z: null, w: ''}\n", A),
    "targets_text": SdDocument("- labels:\n  targets:\n    'a'\n", REFUSED),
    "gibberish": SdDocument("]words\n][", REFUSED),
    "half_a_key": SdDocument("- targets", REFUSED),
    "half_a_list": SdDocument("- targets: [a]\n- targets: [b", REFUSED),
    "empty": SdDocument("", []),
    "only_comment": SdDocument("# nothing yet\n", []),
    "null": SdDocument("null\n", []),
    "empty_document": SdDocument("---\n", []),
    "empty_list": SdDocument("[]\n", []),
    "empty_groups": SdDocument("- {}\n- targets: []\n- labels: {x: y}\n", []),
    "mapping": SdDocument("targets: [a]\n", REFUSED),
    "text": SdDocument("hello\n", REFUSED),
    "text_group": SdDocument("- ''\n", REFUSED),
    "unknown_key": SdDocument("- targets: [a]\n  label: {x: y}\n", REFUSED),
    "upper_case_key": SdDocument("- Targets: [a]\n", REFUSED),
    "key_twice": SdDocument("- targets: [a]\n  targets: [b]\n", REFUSED),
    "label_twice": SdDocument("- targets: [a]\n  labels: {x: y, x: z}\n", REFUSED),
    "label_of_mapping": SdDocument("- targets: [a]\n  labels: {x: {y: z}}\n", REFUSED),
    "label_of_list": SdDocument("- targets: [a]\n  labels: {x: [y]}\n", REFUSED),
    "labels_list": SdDocument("- targets: [a]\n  labels: [x]\n", REFUSED),
    "labels_text": SdDocument("- targets: [a]\n  labels: ''\n", REFUSED),
    "targets_mapping": SdDocument("- targets: {a: b}\n", REFUSED),
    "scalars": SdDocument(
        "- targets: [a]\n  labels: {a: 1, b: 017, c: 1.50, d: yes, e: true, f: 2026-01-02, g: 12:30, h: 0x10, i: .inf,"
        " j: 1e3, k: -5, l: 1_000, m: on, No: No, n: 123456789012345678901234567890, o: 0o17, p: '=', q: n, r: 0b1}\n",
        [
            _at("a", a="1", b="017", c="1.50", d="yes", e="true", f="2026-01-02", g="12:30", h="0x10", i=".inf")
            | {"j": "1e3", "k": "-5", "l": "1_000", "m": "on", "No": "No", "n": "123456789012345678901234567890"}
            | {"o": "0o17", "p": "=", "q": "n", "r": "0b1"}
        ],
    ),
    "scalar_targets": SdDocument(
        "- targets: [1, 2.5, true, 017, 12:30, 2026-01-02]\n",
        [_at(text) for text in ("1", "2.5", "true", "017", "12:30", "2026-01-02")],
    ),
    "true_as_name": SdDocument("- targets: [a]\n  labels: {true: x}\n", [_at("a", true="x")]),
    "number_as_name": SdDocument("- targets: [a]\n  labels: {1: x}\n", REFUSED),
    "empty_name": SdDocument("- targets: [a]\n  labels: {'': x}\n", REFUSED),
    "name_with_dash": SdDocument("- targets: [a]\n  labels: {a-b: x}\n", REFUSED),
    "name_not_ascii": SdDocument("- targets: [a]\n  labels: {é: x}\n", REFUSED),
    "address_as_label": SdDocument("- targets: [a]\n  labels: {__address__: b}\n- labels: {__address__: c}\n", A),
    "same_target": SdDocument("- targets: [a, a]\n- targets: [a]\n", A * 3),
    "odd_targets": SdDocument(
        "- targets:\n  - a b\n  - http://x.test/p\n  - é.test\n  - ''\n",
        [_at("a b"), _at("http://x.test/p"), _at("é.test"), {}],
    ),
    "anchors": SdDocument(
        "- targets: [a]\n  labels: &l {x: y}\n- targets: [b]\n  labels: *l\n", [_at("a", x="y"), _at("b", x="y")]
    ),
    "merged_group": SdDocument(
        "- &g {targets: [a], labels: {x: y}}\n- {<<: *g, targets: [b]}\n", [_at("a", x="y"), _at("b", x="y")]
    ),
    "merged_labels": SdDocument(
        "- targets: [a]\n  labels: &l {x: y}\n- targets: [b]\n  labels: {<<: *l, x: z}\n",
        REFUSED,
        ours=[_at("a", x="y"), _at("b", x="z")],
    ),
    "blocks": SdDocument(
        "- targets: [a]\n  labels:\n    x: |\n      one\n      two\n    y: >\n      three\n      four\n",
        [_at("a", x="one\ntwo\n", y="three four\n")],
    ),
    "escapes": SdDocument('- targets: [a]\n  labels: {x: "\\U0001F600 \\x07"}\n', [_at("a", x="\U0001f600 \x07")]),
    "crlf": SdDocument("- targets: [a]\r\n  labels: {x: y}\r\n", [_at("a", x="y")]),
    "utf8": SdDocument("- targets: [a]\n  labels: {x: ünï}\n", [_at("a", x="ünï")]),
    "bom": SdDocument(b"\xef\xbb\xbf- targets: [a]\n", A),
    "latin_1": SdDocument(b"- targets: [a]\n  labels: {x: caf\xe9}\n", REFUSED),
    "control_character": SdDocument('- targets: [a]\n  labels: {x: "a\x01"}\n', REFUSED),
    "json_in_yaml": SdDocument('[{"targets": ["a"], "labels": {"x": "\\u00e9"}}]', [_at("a", x="é")]),
    "tag_of_text": SdDocument("- targets: [!!str 5]\n", [_at("5")]),
    "tag_of_bytes": SdDocument("- targets: [a]\n  labels: {x: !!binary eA==}\n", [_at("a", x="x")], ours=REFUSED),
    "unknown_tag": SdDocument("- targets: [!own a]\n", A, ours=REFUSED),
    "utf16": SdDocument("\ufeff- targets: [a]\n".encode("utf-16-le"), A, ours=REFUSED),
    "two_documents": SdDocument("- targets: [a]\n---\n- targets: [b]\n", A, ours=REFUSED),
}

JSON = {
    "two_groups": SdDocument(
        '[\n\t{\n\t\t"targets": ["one.test:9090", "two.test:443"],\n\t\t"labels": {"team": "web"}\n\t},\n'
        '\t{"targets": ["three"]}\n]\n',
        [_at("one.test:9090", team="web"), _at("two.test:443", team="web"), _at("three")],
    ),
    "labels_first": SdDocument(
        '[{"labels": {"__meta_datacenter": "x"}, "targets": ["127.0.0.1:9090"]}]',
        [_at("127.0.0.1:9090", __meta_datacenter="x")],
    ),
    "three_groups": SdDocument(
        '[{"targets": ["10.0.0.1:1", "10.0.0.2:1"], "labels": {"__meta_dc": "x", "__meta_kind": "y"}},'
        ' {"targets": ["10.0.0.1:2"], "labels": {"__meta_dc": "x"}}, {"targets": ["10.0.0.1:1"]}]',
        [
            *(_at(f"10.0.0.{n}:1", __meta_dc="x", __meta_kind="y") for n in (1, 2)),
            _at("10.0.0.1:2", __meta_dc="x"),
            _at("10.0.0.1:1"),
        ],
    ),
    "null_group": SdDocument('[{"targets": ["a"], "labels": {"x": "y"}}, null]', REFUSED),
    "empty_lists": SdDocument('[{"labels": {}, "targets": []}, {}]', []),
    "unknown_label": SdDocument('[{"label": {}, "targets": []}]', REFUSED),
    "unknown_target": SdDocument('[{"labels": {}, "target": []}]', REFUSED),
    "nulls": SdDocument('[{"targets": null}, {"targets": ["a"], "labels": null}]', A),
    "null_target": SdDocument('[{"targets": ["a", null, ""]}]', [*A, {}, {}]),
    "null_label": SdDocument('[{"targets": ["a"], "labels": {"x": null, "y": ""}}]', A),
    "null": SdDocument("null", []),
    "empty_list": SdDocument(" [ ] \n", []),
    "empty": SdDocument("", REFUSED),
    "mapping": SdDocument("{}", REFUSED),
    "text": SdDocument('"x"', REFUSED),
    "text_group": SdDocument('["x"]', REFUSED),
    "list_group": SdDocument("[[]]", REFUSED),
    "number_label": SdDocument('[{"targets": ["a"], "labels": {"x": 1}}]', REFUSED),
    "number_target": SdDocument('[{"targets": [1]}]', REFUSED),
    "true_label": SdDocument('[{"targets": ["a"], "labels": {"x": true}}]', REFUSED),
    "labels_list": SdDocument('[{"targets": ["a"], "labels": []}]', REFUSED),
    "targets_text": SdDocument('[{"targets": "a"}]', REFUSED),
    "upper_case_keys": SdDocument('[{"Targets": ["a"], "LABELS": {"x": "y"}}]', [_at("a", x="y")]),
    "folded_key": SdDocument('[{"target\u017f": ["a"]}]', A),
    "key_twice": SdDocument('[{"targets": ["a"], "targets": ["b"]}]', [_at("b")]),
    "label_twice": SdDocument('[{"targets": ["a"], "labels": {"x": "y", "x": "z"}}]', [_at("a", x="z")]),
    "labels_twice": SdDocument('[{"targets": ["a"], "labels": {"x": "y"}, "labels": {"z": "w"}}]', [_at("a", z="w")]),
    "more_after": SdDocument('[{"targets": ["a"]}] x', REFUSED),
    "two_documents": SdDocument('[{"targets": ["a"]}]\n[]', REFUSED),
    "comma_at_end": SdDocument('[{"targets": ["a"]},]', REFUSED),
    "comment": SdDocument('# c\n[{"targets": ["a"]}]', REFUSED),
    "yaml": SdDocument("- targets: [a]\n", REFUSED),
    "half": SdDocument('[{"targets": ["a"]}, {"tar', REFUSED),
    "nan": SdDocument('[{"targets": ["a"], "labels": {"x": NaN}}]', REFUSED),
    "bom": SdDocument(b'\xef\xbb\xbf[{"targets": ["a"]}]', REFUSED),
    "latin_1": SdDocument(b'[{"targets": ["a"], "labels": {"x": "caf\xe9"}}]', [_at("a", x="caf\ufffd")]),
    "surrogate": SdDocument('[{"targets": ["a"], "labels": {"x": "\\ud800"}}]', [_at("a", x="\ufffd")]),
    "surrogates": SdDocument('[{"targets": ["a"], "labels": {"x": "\\ud83d\\ude00"}}]', [_at("a", x="\U0001f600")]),
    "control_character": SdDocument('[{"targets": ["a"], "labels": {"x": "a\x01"}}]', REFUSED),
    "nul": SdDocument('[{"targets": ["a"], "labels": {"x": "a\\u0000b"}}]', [_at("a", x="a\0b")]),
    "name_with_dash": SdDocument('[{"targets": ["a"], "labels": {"a-b": "x"}}]', REFUSED),
    "empty_name": SdDocument('[{"targets": ["a"], "labels": {"": "x"}}]', REFUSED),
    "name_not_ascii": SdDocument('[{"targets": ["a"], "labels": {"\u00e9": "x"}}]', REFUSED),
    "address_as_label": SdDocument('[{"targets": ["a"], "labels": {"__address__": "b"}}]', A),
    "same_target": SdDocument('[{"targets": ["a", "a"]}, {"targets": ["a"]}]', A * 3),
    "escaped_slash": SdDocument('[{"targets": ["a\\/b", "http://x/y"]}]', [_at("a/b"), _at("http://x/y")]),
    "deep": SdDocument("[" * 5000 + "]" * 5000, REFUSED),
}
