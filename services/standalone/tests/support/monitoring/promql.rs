//! Which metrics a PromQL expression names, each with the labels that it expects of them: those that it matches on
//! and those that an aggregation around it groups by.
//!
//! It understands what our own expressions use, and refuses the rest (`on`, `label_replace`, a grouping behind its
//! operand) rather than overlooking a label.

use std::collections::BTreeSet;

use anyhow::{Context, bail, ensure};

/// One place where a metric is named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Use {
    pub(crate) metric: String,
    pub(crate) labels: BTreeSet<String>,
}

#[derive(Debug, Clone, PartialEq)]
enum Token {
    Name(String),
    /// A string, a number or a duration.
    Literal,
    Symbol(char),
}

pub(crate) fn uses(expr: &str) -> anyhow::Result<Vec<Use>> {
    let mut parser = Parser { tokens: tokens(expr)?, at: 0, uses: Vec::new() };
    parser.group(&BTreeSet::new())?;
    ensure!(parser.at == parser.tokens.len(), "a bracket too many");
    Ok(parser.uses)
}

fn tokens(expr: &str) -> anyhow::Result<Vec<Token>> {
    let mut tokens = Vec::new();
    let mut rest = expr.trim_start();
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '"' | '\'' | '`' => closing_quote(rest, first).context("a string without an end")?,
            c if c.is_ascii_digit() => {
                rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '.').unwrap_or(rest.len())
            }
            c if c.is_ascii_alphabetic() || c == '_' || c == ':' => {
                rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != ':').unwrap_or(rest.len())
            }
            c => c.len_utf8(),
        };
        tokens.push(match first {
            '"' | '\'' | '`' | '0'..='9' => Token::Literal,
            c if c.is_ascii_alphabetic() || c == '_' || c == ':' => Token::Name(rest[..length].to_owned()),
            c => Token::Symbol(c),
        });
        rest = rest[length..].trim_start();
    }
    Ok(tokens)
}

/// The length of the string that `text` begins with.
fn closing_quote(text: &str, quote: char) -> Option<usize> {
    let mut escaped = false;
    text.char_indices().skip(1).find_map(|(at, c)| {
        let closes = c == quote && !escaped;
        escaped = c == '\\' && !escaped;
        closes.then_some(at + c.len_utf8())
    })
}

struct Parser {
    tokens: Vec<Token>,
    at: usize,
    uses: Vec<Use>,
}

impl Parser {
    fn next(&mut self) -> Option<Token> {
        self.at += 1;
        self.tokens.get(self.at - 1).cloned()
    }

    fn eat(&mut self, symbol: char) -> bool {
        let found = self.tokens.get(self.at) == Some(&Token::Symbol(symbol));
        self.at += usize::from(found);
        found
    }

    /// Up to the bracket that closes it, or the end. `grouped` are the labels that the result has to keep.
    fn group(&mut self, grouped: &BTreeSet<String>) -> anyhow::Result<()> {
        while let Some(token) = self.tokens.get(self.at).cloned() {
            if token == Token::Symbol(')') {
                return Ok(());
            }
            self.at += 1;
            match token {
                Token::Name(name) => self.name(&name, grouped)?,
                Token::Symbol('(') => self.closed_group(grouped)?,
                Token::Symbol('[') => while !matches!(self.next(), Some(Token::Symbol(']')) | None) {},
                Token::Symbol('{') => bail!("a selector without a metric"),
                Token::Symbol(_) | Token::Literal => {}
            }
        }
        Ok(())
    }

    fn closed_group(&mut self, grouped: &BTreeSet<String>) -> anyhow::Result<()> {
        self.group(grouped)?;
        ensure!(self.eat(')'), "a bracket is not closed");
        Ok(())
    }

    fn name(&mut self, name: &str, grouped: &BTreeSet<String>) -> anyhow::Result<()> {
        match name {
            "and" | "or" | "unless" | "offset" | "bool" => return Ok(()),
            "by" | "without" => bail!("write `{name}` before its operand"),
            "on" | "ignoring" | "group_left" | "group_right" | "label_replace" | "label_join" | "absent" => {
                bail!("`{name}` is not understood here")
            }
            _ => {}
        }
        if self.tokens.get(self.at) == Some(&Token::Name("by".to_owned())) {
            self.at += 1;
            let mut labels = grouped.clone();
            labels.extend(self.list('(', ')')?);
            ensure!(self.eat('('), "a grouping without an operand");
            return self.closed_group(&labels);
        }
        if self.eat('(') {
            return self.closed_group(grouped);
        }
        let mut labels = grouped.clone();
        if self.tokens.get(self.at) == Some(&Token::Symbol('{')) {
            labels.extend(self.list('{', '}')?);
        }
        self.uses.push(Use { metric: name.to_owned(), labels });
        Ok(())
    }

    /// The names between two brackets, whatever stands beside them.
    fn list(&mut self, open: char, close: char) -> anyhow::Result<BTreeSet<String>> {
        ensure!(self.eat(open), "`{open}` is missing");
        let mut names = BTreeSet::new();
        loop {
            match self.next().with_context(|| format!("`{close}` is missing"))? {
                Token::Symbol(symbol) if symbol == close => return Ok(names),
                Token::Name(name) => {
                    names.insert(name);
                }
                Token::Symbol(_) | Token::Literal => {}
            }
        }
    }
}
