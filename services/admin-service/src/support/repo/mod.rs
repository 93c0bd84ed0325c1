//! All SQL of the support read model: what events write, and what staff read.

mod read;
mod write;

pub(super) use self::{read::*, write::*};
