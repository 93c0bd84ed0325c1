//! Where results go: to the terminal, and into one document, each command into a section of its own.

use std::{fs, path::Path};

use anyhow::Context;

use crate::options::Options;

/// Shows the section, and keeps it where it is worth keeping.
pub(crate) fn publish(options: &Options, section: &str, text: &str) -> anyhow::Result<()> {
    println!("\n{text}");
    if options.keeps() {
        replace(&options.document, section, text)?;
        println!("written to {}", options.document.display());
    }
    Ok(())
}

fn replace(document: &Path, section: &str, text: &str) -> anyhow::Result<()> {
    let before = fs::read_to_string(document).with_context(|| document.display().to_string())?;
    let after = replaced(&before, section, text)
        .with_context(|| format!("{} has no section {section}", document.display()))?;
    fs::write(document, after).with_context(|| document.display().to_string())
}

/// None where the document has no such section.
fn replaced(document: &str, section: &str, text: &str) -> Option<String> {
    let (begin, end) = (format!("<!-- bench {section} -->"), format!("<!-- /bench {section} -->"));
    let (head, rest) = document.split_once(&begin)?;
    let (_, tail) = rest.split_once(&end)?;
    Some(format!("{head}{begin}\n{}\n{end}{tail}", text.trim_end()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_named_section_is_replaced() {
        let document =
            "a\n<!-- bench x -->\nold\n<!-- /bench x -->\nb\n<!-- bench y -->\n<!-- /bench y -->\n";
        let once = replaced(document, "x", "new\n").unwrap();
        assert_eq!(
            once,
            "a\n<!-- bench x -->\nnew\n<!-- /bench x -->\nb\n<!-- bench y -->\n<!-- /bench y -->\n"
        );
        assert_eq!(replaced(&once, "x", "new").unwrap(), once);
        assert_eq!(replaced(document, "z", "new"), None);
    }
}
