//! What came out, for people, for programs, and for plotters: each form is made of the record of the run, and shows nothing that is not
//! in it. Absent: measuring, and judging what was measured.

mod compare;
mod figures;
mod hgrm;
mod hlog;
mod numbers;
mod of_run;
mod text;
mod words;

pub(crate) use self::{
    compare::compare_text,
    hgrm::hgrm,
    hlog::hlog,
    of_run::{Report, ServerCounts},
    text::text,
};
