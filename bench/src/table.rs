//! Tables in Markdown, padded so that they read well as plain text too.

use std::{fmt, time::Duration};

#[derive(Debug, Clone)]
pub(crate) struct Table {
    head: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(crate) fn new(head: &[&str]) -> Self {
        Self { head: head.iter().map(|cell| (*cell).to_owned()).collect(), rows: Vec::new() }
    }

    pub(crate) fn push(&mut self, row: Vec<String>) {
        self.rows.push(row);
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines = || std::iter::once(&self.head).chain(&self.rows);
        let width = |column: usize| {
            lines().filter_map(|line| line.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..self.head.len()).map(width).collect();
        for (number, line) in lines().enumerate() {
            if number > 0 {
                writeln!(f)?;
            }
            for (column, width) in widths.iter().enumerate() {
                let cell = line.get(column).map_or("", String::as_str);
                // What is counted stands to the right, what is named to the left.
                if column == 0 { write!(f, "| {cell:<width$} ")? } else { write!(f, "| {cell:>width$} ")? }
            }
            write!(f, "|")?;
            if number == 0 {
                writeln!(f)?;
                for (column, width) in widths.iter().enumerate() {
                    let dashes = "-".repeat(*width);
                    if column == 0 { write!(f, "| {dashes} ")? } else { write!(f, "| {dashes}:")? }
                }
                write!(f, "|")?;
            }
        }
        Ok(())
    }
}

/// `12,345`
pub(crate) fn whole(number: f64) -> String {
    let digits = format!("{number:.0}");
    let mut grouped = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// `2.61`
pub(crate) fn ratio(number: f64) -> String {
    format!("{number:.2}")
}

/// Microseconds of processor time for each thing that was done.
pub(crate) fn each(used: Duration, done: f64) -> String {
    whole(used.as_secs_f64() / done * 1_000_000.0)
}

/// `12 %`
pub(crate) fn percent(share: f64) -> String {
    format!("{:.0} %", share * 100.0)
}

/// Milliseconds, with three digits that say something.
pub(crate) fn milliseconds(time: Duration) -> String {
    let number = time.as_secs_f64() * 1_000.0;
    match number {
        100.0.. => format!("{number:.0}"),
        10.0.. => format!("{number:.1}"),
        _ => format!("{number:.2}"),
    }
}

pub(crate) const NOTHING: &str = "–";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_for_people() {
        for (number, text) in [(0.4, "0"), (999.6, "1,000"), (12_345.0, "12,345"), (1_234_567.0, "1,234,567")]
        {
            assert_eq!(whole(number), text);
        }
        for (micros, text) in [(80, "0.08"), (9_990, "9.99"), (25_400, "25.4"), (250_000, "250")] {
            assert_eq!(milliseconds(Duration::from_micros(micros)), text);
        }
    }

    #[test]
    fn columns_are_aligned() {
        let mut table = Table::new(&["what", "n"]);
        table.push(vec!["a".to_owned(), "1,000".to_owned()]);
        assert_eq!(table.to_string(), "| what |     n |\n| ---- | -----:|\n| a    | 1,000 |");
    }
}
