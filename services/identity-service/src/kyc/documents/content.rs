//! What may be uploaded: a JPEG or PNG image, or a PDF, that is what it says it is.
//!
//! The bytes decide, and what the request declares must be the same. Nothing is decoded here: a decoder is what malicious images are
//! made for. The structure is walked, and the dimensions that it declares are bounded, so that no viewer has to unpack a small file
//! into gigabytes. A PDF with anything that runs, opens or is embedded is refused; what stands in its compressed streams is not
//! seen, so reviewers get every document as a download for a viewer without scripts.

use std::{fmt, str::FromStr};

/// 10 MiB, as the gateway lets through.
pub(crate) const LARGEST: usize = 10 * 1024 * 1024;
/// Pixels a side, and all together: a photo of 48 megapixels fits.
const LONGEST_SIDE: u32 = 12_000;
const MOST_PIXELS: u64 = 50_000_000;
/// Below, nothing can be read on it.
const SHORTEST_SIDE: u32 = 100;

const PNG: &[u8] = b"\x89PNG\r\n\x1a\n";
const JPEG: &[u8] = b"\xff\xd8\xff";
const PDF: &[u8] = b"%PDF-";
/// The end of a PDF stands within so many bytes of the file's.
const PDF_TAIL: usize = 1024;
const PDF_REFUSED: [&str; 9] = [
    "JavaScript",
    "JS",
    "Launch",
    "OpenAction",
    "AA",
    "EmbeddedFile",
    "EmbeddedFiles",
    "RichMedia",
    "Encrypt",
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ContentType {
    Jpeg,
    Png,
    Pdf,
}

#[derive(Debug, thiserror::Error)]
#[error("{0} is not known here")]
pub(crate) struct Unknown(String);

impl ContentType {
    pub(crate) const ALL: [Self; 3] = [Self::Jpeg, Self::Png, Self::Pdf];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Jpeg => "image/jpeg",
            Self::Png => "image/png",
            Self::Pdf => "application/pdf",
        }
    }

    pub(crate) fn extension(self) -> &'static str {
        match self {
            Self::Jpeg => "jpg",
            Self::Png => "png",
            Self::Pdf => "pdf",
        }
    }

    fn of(content: &[u8]) -> Option<Self> {
        match content {
            _ if content.starts_with(PNG) => Some(Self::Png),
            _ if content.starts_with(JPEG) => Some(Self::Jpeg),
            _ if content.starts_with(PDF) => Some(Self::Pdf),
            _ => None,
        }
    }
}

impl FromStr for ContentType {
    type Err = Unknown;

    fn from_str(name: &str) -> Result<Self, Unknown> {
        let essence = name.split(';').next().unwrap_or_default().trim();
        Self::ALL
            .into_iter()
            .find(|kind| essence.eq_ignore_ascii_case(kind.name()))
            .ok_or_else(|| Unknown(name.to_owned()))
    }
}

impl fmt::Display for ContentType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Why content is not taken. The words are for the person who sent it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unfit {
    #[error("is empty")]
    Empty,
    #[error("is larger than 10 MiB")]
    TooLarge,
    #[error("is not what its Content-Type says")]
    OtherType,
    #[error("is damaged or cut off")]
    Damaged,
    #[error(
        "must be an image of at least {SHORTEST_SIDE} and at most {LONGEST_SIDE} pixels a side, 50 million in all"
    )]
    Dimensions,
    #[error("must be a PDF without scripts, actions, embedded files and encryption")]
    Active,
}

impl Unfit {
    /// The code of the field.
    pub(crate) fn code(self) -> &'static str {
        match self {
            Self::Empty => "required",
            Self::TooLarge | Self::Dimensions => "out_of_range",
            Self::OtherType => "content_type_mismatch",
            Self::Damaged => "invalid",
            Self::Active => "active_content",
        }
    }
}

/// That the content is of the declared type, whole and harmless as far as its structure tells.
pub(crate) fn check(declared: ContentType, content: &[u8]) -> Result<(), Unfit> {
    if content.is_empty() {
        return Err(Unfit::Empty);
    }
    if content.len() > LARGEST {
        return Err(Unfit::TooLarge);
    }
    if ContentType::of(content) != Some(declared) {
        return Err(Unfit::OtherType);
    }
    match declared {
        ContentType::Png => dimensions(png(content).ok_or(Unfit::Damaged)?),
        ContentType::Jpeg => dimensions(jpeg(content).ok_or(Unfit::Damaged)?),
        ContentType::Pdf => pdf(content),
    }
}

fn dimensions((width, height): (u32, u32)) -> Result<(), Unfit> {
    let sides = SHORTEST_SIDE..=LONGEST_SIDE;
    let fits = sides.contains(&width) && sides.contains(&height);
    if fits && u64::from(width) * u64::from(height) <= MOST_PIXELS { Ok(()) } else { Err(Unfit::Dimensions) }
}

/// Width and height, if the chunks are whole from the header to the end, and nothing comes after it.
fn png(content: &[u8]) -> Option<(u32, u32)> {
    let mut rest = content.strip_prefix(PNG)?;
    let mut size = None;
    let mut has_data = false;
    loop {
        let (length, after) = rest.split_first_chunk::<4>()?;
        let (kind, after) = after.split_first_chunk::<4>()?;
        let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
        let data = after.get(..length)?;
        // Its checksum.
        rest = after.get(length.checked_add(4)?..)?;
        match (kind, size) {
            (b"IHDR", None) => {
                let (width, after) = data.split_first_chunk::<4>()?;
                let (height, _) = after.split_first_chunk::<4>()?;
                size = Some((u32::from_be_bytes(*width), u32::from_be_bytes(*height)));
            }
            (b"IHDR", Some(_)) | (_, None) => return None,
            (b"IDAT", _) => has_data = true,
            (b"IEND", _) => return size.filter(|_| has_data && rest.is_empty()),
            _ => {}
        }
    }
}

/// Width and height, if the segments are whole up to the picture itself and its end follows. Phones append data of their own.
fn jpeg(content: &[u8]) -> Option<(u32, u32)> {
    let mut rest = content.get(2..)?;
    let mut size = None;
    loop {
        let (&[0xff, marker], after) = rest.split_first_chunk::<2>()? else { return None };
        // Fill bytes may stand before a marker.
        if marker == 0xff {
            rest = rest.get(1..)?;
            continue;
        }
        let (length, _) = after.split_first_chunk::<2>()?;
        let length = usize::from(u16::from_be_bytes(*length));
        let data = after.get(2..length)?;
        rest = after.get(length..)?;
        match marker {
            // Start of frame, whatever its coding: C4, C8 and CC are none.
            0xc0..=0xc3 | 0xc5..=0xc7 | 0xc9..=0xcb | 0xcd..=0xcf => {
                let height = u16::from_be_bytes([*data.get(1)?, *data.get(2)?]);
                let width = u16::from_be_bytes([*data.get(3)?, *data.get(4)?]);
                if size.replace((u32::from(width), u32::from(height))).is_some() {
                    return None;
                }
            }
            // Start of scan: the picture. Its end is a marker that cannot stand in it.
            0xda => return size.filter(|_| rest.windows(2).any(|pair| pair == [0xff, 0xd9])),
            // None of these stands before the picture.
            0x00 | 0xd0..=0xd9 => return None,
            _ => {}
        }
    }
}

fn pdf(content: &[u8]) -> Result<(), Unfit> {
    let tail = &content[content.len().saturating_sub(PDF_TAIL)..];
    if !tail.windows(5).any(|window| window == b"%%EOF") {
        return Err(Unfit::Damaged);
    }
    if pdf_names(content).any(|name| PDF_REFUSED.iter().any(|refused| name == refused.as_bytes())) {
        return Err(Unfit::Active);
    }
    Ok(())
}

/// All names (`/Name`) that stand in the file as they are, with their escapes (`/J#53`) resolved.
fn pdf_names(content: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    content.split(|byte| *byte == b'/').skip(1).map(|after| {
        let end = after.iter().position(|byte| !is_regular(*byte)).unwrap_or(after.len());
        unescaped(&after[..end])
    })
}

/// Neither white space nor a delimiter.
fn is_regular(byte: u8) -> bool {
    !matches!(
        byte,
        0 | 9 | 10 | 12 | 13 | 32 | b'(' | b')' | b'<' | b'>' | b'[' | b']' | b'{' | b'}' | b'/' | b'%'
    )
}

fn unescaped(name: &[u8]) -> Vec<u8> {
    // No name of ours is longer, escapes and all.
    let mut rest = &name[..name.len().min(64)];
    let mut plain = Vec::with_capacity(rest.len());
    while let Some((&byte, after)) = rest.split_first() {
        let escaped = || {
            let digits = std::str::from_utf8(after.get(..2)?).ok()?;
            u8::from_str_radix(digits, 16).ok()
        };
        if byte == b'#'
            && let Some(value) = escaped()
        {
            plain.push(value);
            rest = &after[2..];
        } else {
            plain.push(byte);
            rest = after;
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn png_of(width: u32, height: u32) -> Vec<u8> {
        let chunk = |kind: &[u8], data: &[u8]| {
            [&u32::try_from(data.len()).unwrap().to_be_bytes(), kind, data, &[0; 4]].concat()
        };
        let header = [&width.to_be_bytes()[..], &height.to_be_bytes(), &[8, 2, 0, 0, 0]].concat();
        [PNG.to_vec(), chunk(b"IHDR", &header), chunk(b"IDAT", b"pixels"), chunk(b"IEND", b"")].concat()
    }

    fn jpeg_of(width: u16, height: u16) -> Vec<u8> {
        let frame = [&[8][..], &height.to_be_bytes(), &width.to_be_bytes(), &[1, 1, 0x11, 0]].concat();
        [
            &[0xff, 0xd8, 0xff, 0xe0, 0, 4, 1, 2][..],
            &[0xff, 0xff, 0xc0, 0, 11],
            &frame,
            &[0xff, 0xda, 0, 4, 1, 2],
            b"picture\xff\x00",
            &[0xff, 0xd9],
        ]
        .concat()
    }

    fn pdf_with(object: &str) -> Vec<u8> {
        format!(
            "%PDF-1.7\n1 0 obj\n<< /Type /Catalog {object} >>\nendobj\ntrailer << /Root 1 0 R >>\n%%EOF\n"
        )
        .into_bytes()
    }

    #[test]
    fn whole_documents_are_taken() {
        assert_eq!(check(ContentType::Png, &png_of(800, 600)), Ok(()));
        assert_eq!(check(ContentType::Jpeg, &jpeg_of(800, 600)), Ok(()));
        assert_eq!(
            check(ContentType::Jpeg, &[jpeg_of(800, 600), b"a phone's own".to_vec()].concat()),
            Ok(())
        );
        assert_eq!(check(ContentType::Pdf, &pdf_with("/Pages 2 0 R /AAPL (no action)")), Ok(()));
    }

    #[test]
    fn the_bytes_decide_what_it_is() {
        assert_eq!(check(ContentType::Jpeg, &png_of(800, 600)), Err(Unfit::OtherType));
        assert_eq!(check(ContentType::Pdf, b"<html><script>"), Err(Unfit::OtherType));
        assert_eq!(check(ContentType::Png, b"MZ\x90\x00"), Err(Unfit::OtherType));
        assert_eq!(check(ContentType::Png, b""), Err(Unfit::Empty));
        assert_eq!(check(ContentType::Png, &vec![0; LARGEST + 1]), Err(Unfit::TooLarge));
        assert_eq!("image/JPEG; q=1".parse::<ContentType>().unwrap(), ContentType::Jpeg);
        assert!("image/svg+xml".parse::<ContentType>().is_err());
    }

    #[test]
    fn dimensions_are_bounded_before_anybody_unpacks_them() {
        for (width, height) in [(50_000, 50_000), (12_001, 200), (12_000, 12_000), (99, 500), (0, 0)] {
            assert_eq!(check(ContentType::Png, &png_of(width, height)), Err(Unfit::Dimensions), "{width}");
        }
        assert_eq!(check(ContentType::Jpeg, &jpeg_of(65_535, 65_535)), Err(Unfit::Dimensions));
    }

    #[test]
    fn what_is_cut_off_or_goes_on_behind_its_end_is_damaged() {
        for (kind, whole) in [
            (ContentType::Png, png_of(800, 600)),
            (ContentType::Jpeg, jpeg_of(800, 600)),
            (ContentType::Pdf, pdf_with("")),
        ] {
            let shorter = &whole[..whole.len() - 3];
            assert_eq!(check(kind, shorter), Err(Unfit::Damaged), "{kind}");
        }
        let polyglot = [png_of(800, 600), b"PK\x03\x04".to_vec()].concat();
        assert_eq!(check(ContentType::Png, &polyglot), Err(Unfit::Damaged));
    }

    #[test]
    fn a_pdf_that_does_something_is_refused() {
        for object in [
            "/OpenAction 3 0 R",
            "/AA << /O 3 0 R >>",
            "/S /JavaScript /JS (app.alert(1))",
            "/S/JavaScript/JS(x)",
            "/S /#4aava#53cript",
            "/Type /EmbeddedFile",
            "/S /Launch",
            "/Encrypt 4 0 R",
        ] {
            assert_eq!(check(ContentType::Pdf, &pdf_with(object)), Err(Unfit::Active), "{object}");
        }
    }

    proptest! {
        /// Whatever is changed or cut, looking at it ends, without a panic.
        #[test]
        fn no_bytes_panic(
            start in prop::sample::select(vec![PNG, JPEG, PDF, b"".as_slice()]),
            rest in prop::collection::vec(any::<u8>(), 0..300),
            at in 0_usize..80,
            byte in any::<u8>(),
            kind in prop::sample::select(&ContentType::ALL[..]),
        ) {
            let _ = check(kind, &[start, &rest].concat());
            for mut whole in [png_of(800, 600), jpeg_of(800, 600), pdf_with("/JS")] {
                let at = at.min(whole.len() - 1);
                whole[at] = byte;
                let _ = check(kind, &whole);
                let _ = check(kind, &whole[..at]);
            }
        }
    }
}
