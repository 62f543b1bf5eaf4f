"""The parts of generated Rust that are the same for every service: types whose JSON is not what serde makes of
Rust's own, and the trait that all methods have."""

from __future__ import annotations

ESCAPED = """\
/// {doc}
#[derive(Debug, Clone, Copy, {more})]
pub struct {name}(pub {inner});

impl From<{inner}> for {name} {{
    fn from(value: {inner}) -> Self {{
        Self(value)
    }}
}}

impl serde::Serialize for {name} {{
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {{
        if {is_exact} {{
            serializer.serialize_{inner}(self.0)
        }} else {{
            serializer.{write_text}
        }}
    }}
}}

impl<'de> serde::Deserialize<'de> for {name} {{
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {{
        #[derive(serde::Deserialize)]
        #[serde(untagged)]
        enum Form {{
            Number({inner}),
            Text(String),
        }}
        match Form::deserialize(deserializer)? {{
            Form::Number(value) => Ok(Self(value)),
            Form::Text(text) => match text.as_str() {{
{read_text}
            }},
        }}
    }}
}}"""


def _integer(name: str, inner: str, is_exact: str) -> str:
    read = "                digits => digits.parse().map(Self).map_err(serde::de::Error::custom),"
    doc = "An integer of 64 bits: in JSON a string of digits beyond 2^53 - 1."
    return ESCAPED.format(
        name=name,
        inner=inner,
        doc=doc,
        more="PartialEq, Eq, PartialOrd, Ord, Hash, Default",
        is_exact=is_exact,
        write_text="collect_str(&self.0)",
        read_text=read,
    )


_REAL_TEXT = """\
                "NaN" => Ok(Self(f64::NAN)),
                "Infinity" => Ok(Self(f64::INFINITY)),
                "-Infinity" => Ok(Self(f64::NEG_INFINITY)),
                _ => Err(serde::de::Error::custom("no number")),"""
_WRITE_REAL = 'serialize_str(if self.0.is_nan() { "NaN" } else if self.0 > 0.0 { "Infinity" } else { "-Infinity" })'

PRELUDE = {
    "Int64": _integer("Int64", "i64", "self.0.unsigned_abs() < 1 << 53"),
    "UInt64": _integer("UInt64", "u64", "self.0 < 1 << 53"),
    "Float64": ESCAPED.format(
        name="Float64",
        inner="f64",
        doc="A float: in JSON a string where it is NaN or infinite.",
        more="PartialEq, PartialOrd, Default",
        is_exact="self.0.is_finite()",
        write_text=_WRITE_REAL,
        read_text=_REAL_TEXT,
    ),
    "Bytes": """\
/// Bytes: base64 where the host writes them into the JSON, none where they are a payload of the message.
pub type Bytes = Option<String>;""",
    "ArrowStream": """\
/// One whole Arrow IPC stream: base64 or, as none, a payload of the message.
pub type ArrowStream = Option<String>;""",
}

METHOD = """\
/// What to do with a method: call a unary one, open the others; `Stream` says itself which it is when it is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    Unary,
    Producer,
    Exchange,
    Stream,
}

/// One method of a service. `Output` is the result of a unary one, the header of a stream, `()` where it has none.
pub trait Method {
    const NAME: &'static str;
    const KIND: Kind;
    type Params: serde::Serialize;
    type Output: serde::de::DeserializeOwned;
}"""
