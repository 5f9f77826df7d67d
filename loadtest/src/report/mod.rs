//! What came out, for people, for programs, and for plotters: each form is made of the record of the run, and shows nothing that is not
//! in it. Absent: measuring, and judging what was measured.

mod compare;
mod document;
mod figures;
mod hgrm;
mod hlog;
mod html;
mod numbers;
mod text;
mod words;

pub(crate) use self::{
    compare::compare_text,
    document::{DocumentError, document},
    hgrm::hgrm,
    hlog::hlog,
    html::html,
    text::text,
};
