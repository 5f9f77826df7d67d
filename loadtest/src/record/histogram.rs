//! A histogram of nanoseconds as text: base64 of HdrHistogram's V2 format, deflated, which every HdrHistogram library reads.

use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use hdrhistogram::{
    Histogram,
    serialization::{Deserializer, Serializer, V2DeflateSerializer},
};
use serde::{Deserialize, Serialize};

/// A histogram inside a record.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct StoredHistogram(Histogram<u64>);

impl StoredHistogram {
    /// In nanoseconds.
    pub(crate) fn histogram(&self) -> &Histogram<u64> {
        &self.0
    }

    /// As it is written.
    pub(crate) fn text(&self) -> String {
        let mut bytes = Vec::new();
        V2DeflateSerializer::new().serialize(&self.0, &mut bytes).expect("a histogram of bounded size fits in memory");
        BASE64.encode(bytes)
    }
}

impl From<Histogram<u64>> for StoredHistogram {
    fn from(histogram: Histogram<u64>) -> StoredHistogram {
        StoredHistogram(histogram)
    }
}

impl PartialEq for StoredHistogram {
    /// Two are equal where they are written the same: what a histogram that was
    /// never written knows beyond that (its extremes to the nanosecond) makes no difference.
    fn eq(&self, other: &StoredHistogram) -> bool {
        self.text() == other.text()
    }
}

impl TryFrom<String> for StoredHistogram {
    type Error = String;

    fn try_from(text: String) -> Result<StoredHistogram, String> {
        let bytes = BASE64.decode(text).map_err(|error| format!("a histogram is not base64: {error}"))?;
        let histogram = Deserializer::new().deserialize(&mut bytes.as_slice());
        histogram.map(StoredHistogram).map_err(|error| format!("a histogram cannot be read: {error}"))
    }
}

impl From<StoredHistogram> for String {
    fn from(stored: StoredHistogram) -> String {
        stored.text()
    }
}
