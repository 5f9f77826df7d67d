//! How do we show a run to somebody who was not there? As one file that opens offline in any browser, in light and dark and on paper: it
//! refers to nothing outside itself, and without its script it loses only the values under the pointer.

mod latency;
mod page;
mod plot;
mod scale;
mod tables;
mod time;

pub(crate) use self::page::html;
