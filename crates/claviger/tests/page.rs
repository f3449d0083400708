//! The page of a published list, as a browser shows it: wide, narrow and dark.
//!
//! The picture is compared with the one that is kept, in blocks, so that other
//! fonts and other digests of certificates do not matter; with
//! `CLAVIGER_KEEP_PICTURES=1` it is kept anew.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod desk;

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use desk::{Desk, read};

const PAPER: [u8; 3] = [0xf4, 0xf6, 0xfa];
const CARD: [u8; 3] = [0xff, 0xff, 0xff];
const MARK: [u8; 3] = [0x0b, 0x3d, 0x91];
const DARK_PAPER: [u8; 3] = [0x10, 0x15, 0x1e];
const DARK_MARK: [u8; 3] = [0x9d, 0xbd, 0xff];

#[test]
fn the_published_page_looks_right_in_a_browser() {
    let Some(browser) = Browser::find("the_published_page_looks_right_in_a_browser") else {
        return;
    };
    let desk = Desk::new();
    desk.first("wallet");
    desk.does("publish first.jws --out site --signer operator.pem");
    let page = desk.path("site/index.html");

    let wide = browser.picture(&page, (1280, 1400), &[]);
    // A bar in the list's colour, a header on white, the paper around the cards.
    assert_eq!(wide.at(640, 2), MARK, "the bar over the header");
    assert_eq!(wide.at(4, 40), CARD, "the header reaches the edge");
    assert_eq!(wide.at(4, 1000), PAPER, "the paper beside the cards");
    let main = wide.inked(160, 300, 1120, 1390);
    assert!(
        (0.01..0.35).contains(&main),
        "{main}: neither empty nor full"
    );
    wide.compare_with("wallet-list.png");

    // On a telephone nothing reaches past the edge.
    let narrow = browser.picture(&page, (500, 1400), &[]);
    assert_eq!(narrow.at(250, 2), MARK);
    for y in (400..1390).step_by(7) {
        assert_eq!(narrow.at(497, y), PAPER, "at {y}");
    }

    let dark = browser.picture(
        &page,
        (1280, 1400),
        &["--blink-settings=preferredColorScheme=0"],
    );
    assert_eq!(dark.at(640, 2), DARK_MARK);
    assert_eq!(dark.at(4, 1000), DARK_PAPER);

    let archive = desk.path("site/archive/index.html");
    let archive = browser.picture(&archive, (1280, 700), &[]);
    assert_eq!(archive.at(640, 2), MARK);
}

#[test]
fn a_browser_finds_the_structure_that_readers_need() {
    let Some(browser) = Browser::find("a_browser_finds_the_structure_that_readers_need") else {
        return;
    };
    let desk = Desk::new();
    desk.first("pub-eaa");
    desk.does("publish first.jws --out site --signer operator.pem");
    for file in [
        "site/index.html",
        "site/archive/1.html",
        "site/archive/index.html",
    ] {
        let dom = browser.dom(&desk.path(file));
        assert!(dom.contains("<html lang=\"en\">"), "{file}: its language");
        assert_eq!(dom.matches("<h1>").count(), 1, "{file}: one title");
        assert_eq!(dom.matches("<main id=\"content\">").count(), 1, "{file}");
        assert!(
            dom.contains("<a class=\"skip\" href=\"#content\">"),
            "{file}"
        );
        assert_eq!(headings_skipped(&dom), None, "{file}");
        // A table has a caption, and its heads say of what they are.
        let tables = dom.matches("<table>").count();
        assert_eq!(dom.matches("<caption>").count(), tables, "{file}");
        let heads = dom.matches("<th").count() - dom.matches("<thead").count();
        assert_eq!(dom.matches("<th scope=\"").count(), heads, "{file}");
        // What a screen reader is led by points to something.
        for labelled in dom.split("aria-labelledby=\"").skip(1) {
            let id = labelled.split('"').next().unwrap();
            assert!(dom.contains(&format!("id=\"{id}\"")), "{file}: {id}");
        }
    }
    let index = browser.dom(&desk.path("site/archive/index.html"));
    assert_eq!(index.matches("<table>").count(), 1);
}

/// The colours of texts on what they stand on, by WCAG 2.2, 1.4.3: 4.5 to 1.
#[test]
fn every_text_has_contrast_in_both_schemes() {
    let style = include_str!("../../lote/src/publish/style.css");
    let (light, dark) = style.split_once("prefers-color-scheme: dark").unwrap();
    for (scheme, text) in [("light", light), ("dark", dark)] {
        let colour = |name: &str| {
            let after = text.split_once(&format!("{name}: #")).expect(name).1;
            let digits = u32::from_str_radix(&after[..6], 16).unwrap();
            [digits >> 16, digits >> 8 & 0xff, digits & 0xff].map(|c| c as f64 / 255.0)
        };
        for (ink, on) in [
            ("--ink", "--paper"),
            ("--ink", "--card"),
            ("--ink", "--tint"),
            ("--soft", "--paper"),
            ("--soft", "--card"),
            ("--soft", "--tint"),
            ("--mark", "--paper"),
            ("--mark", "--card"),
            ("--on-mark", "--mark"),
            ("--good", "--good-tint"),
            ("--bad", "--bad-tint"),
        ] {
            let (one, other) = (luminance(colour(ink)), luminance(colour(on)));
            let contrast = (one.max(other) + 0.05) / (one.min(other) + 0.05);
            assert!(contrast >= 4.5, "{scheme}: {ink} on {on} is {contrast:.2}");
        }
    }
}

fn luminance(colour: [f64; 3]) -> f64 {
    let [red, green, blue] = colour.map(|c| match c <= 0.040_45 {
        true => c / 12.92,
        false => ((c + 0.055) / 1.055).powf(2.4),
    });
    0.2126 * red + 0.7152 * green + 0.0722 * blue
}

/// The first heading that is more than one level below the one before.
fn headings_skipped(dom: &str) -> Option<String> {
    let mut before = 0;
    for piece in dom.split("<h").skip(1) {
        let Some(level) = piece.chars().next().and_then(|c| c.to_digit(10)) else {
            continue;
        };
        if level > before + 1 {
            return Some(format!("h{level} after h{before}"));
        }
        before = level;
    }
    None
}

/// A browser without a window.
struct Browser(PathBuf);

impl Browser {
    /// The browser of this machine; none, and the log says so.
    fn find(test: &str) -> Option<Self> {
        let named = std::env::var_os("CLAVIGER_CHROMIUM").map(PathBuf::from);
        let names = ["chromium", "chromium-browser", "google-chrome"];
        let path = std::env::var_os("PATH").unwrap_or_default();
        let found = std::env::split_paths(&path)
            .flat_map(|folder| names.map(|name| folder.join(name)))
            .find(|file| file.is_file());
        let browser = named.or(found);
        if browser.is_none() {
            claviger_fixtures::skip(test, "no chromium found");
        }
        browser.map(Self)
    }

    fn picture(&self, page: &Path, (width, height): (usize, usize), more: &[&str]) -> Picture {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("page.png");
        let mut arguments = vec![
            format!("--window-size={width},{height}"),
            format!("--screenshot={}", file.display()),
            "--hide-scrollbars".to_owned(),
            "--force-device-scale-factor=1".to_owned(),
        ];
        arguments.extend(more.iter().map(|argument| (*argument).to_owned()));
        self.run(page, &arguments);
        let picture = Picture::read(&file);
        assert_eq!((picture.width, picture.height), (width, height));
        picture
    }

    fn dom(&self, page: &Path) -> String {
        self.run(page, &["--dump-dom".to_owned()])
    }

    fn run(&self, page: &Path, arguments: &[String]) -> String {
        let profile = tempfile::tempdir().unwrap();
        let (said, log) = (profile.path().join("out"), profile.path().join("log"));
        let mut running = Command::new(&self.0)
            .args([
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--enable-logging=stderr",
            ])
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .args(arguments)
            .arg(format!("file://{}", page.display()))
            .stdin(Stdio::null())
            .stdout(File::create(&said).unwrap())
            .stderr(File::create(&log).unwrap())
            .spawn()
            .unwrap();
        let started = Instant::now();
        let status = loop {
            if let Some(status) = running.try_wait().unwrap() {
                break status;
            }
            if started.elapsed() > Duration::from_secs(120) {
                let _ = running.kill();
                panic!("the browser did not end");
            }
            std::thread::sleep(Duration::from_millis(50));
        };
        let log = String::from_utf8_lossy(&read(&log)).into_owned();
        assert!(status.success(), "{log}");
        // Its own policy lets everything in that the page has.
        assert!(!log.contains("Content Security Policy"), "{log}");
        String::from_utf8(read(&said)).unwrap()
    }
}

struct Picture {
    width: usize,
    height: usize,
    pixels: Vec<[u8; 3]>,
}

impl Picture {
    fn read(file: &Path) -> Self {
        let file = BufReader::new(File::open(file).expect("a picture"));
        let mut reader = png::Decoder::new(file).read_info().unwrap();
        let mut bytes = vec![0; reader.output_buffer_size().unwrap()];
        let info = reader.next_frame(&mut bytes).unwrap();
        let samples = info.color_type.samples();
        let pixels = bytes[..info.buffer_size()].chunks(samples);
        Self {
            width: info.width as usize,
            height: info.height as usize,
            pixels: pixels
                .map(|p| [p[0], p[1 % samples], p[2 % samples]])
                .collect(),
        }
    }

    fn at(&self, x: usize, y: usize) -> [u8; 3] {
        self.pixels[y * self.width + x]
    }

    /// The share of pixels in a rectangle that are neither paper nor card.
    fn inked(&self, left: usize, top: usize, right: usize, bottom: usize) -> f64 {
        let rows = top..bottom;
        let all = rows.flat_map(|y| (left..right).map(move |x| (x, y)));
        let (mut inked, mut count) = (0, 0);
        for (x, y) in all {
            count += 1;
            inked += usize::from(![PAPER, CARD].contains(&self.at(x, y)));
        }
        f64::from(inked as u32) / f64::from(count as u32)
    }

    /// Compares it with a picture that is kept: the mean difference of blocks of
    /// 8 by 8 pixels, and how many of them differ much.
    fn compare_with(&self, name: &str) {
        let kept = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests/golden")
            .join(name);
        let blocks = self.blocks();
        if std::env::var_os("CLAVIGER_KEEP_PICTURES").is_some() {
            return blocks.write(&kept);
        }
        let golden = Picture::read(&kept);
        assert_eq!((golden.width, golden.height), (blocks.width, blocks.height));
        let differences = blocks
            .pixels
            .iter()
            .zip(&golden.pixels)
            .map(|(one, other)| {
                let sum: u32 = (0..3).map(|i| u32::from(one[i].abs_diff(other[i]))).sum();
                sum / 3
            });
        let differences: Vec<u32> = differences.collect();
        let mean = f64::from(differences.iter().sum::<u32>()) / differences.len() as f64;
        let much = differences.iter().filter(|d| **d > 60).count();
        let share = much as f64 / differences.len() as f64;
        assert!(
            mean < 6.0 && share < 0.06,
            "{name}: blocks differ by {mean:.2} of 255 in the mean, {:.1} % of them by much",
            share * 100.0
        );
    }

    fn blocks(&self) -> Picture {
        const SIDE: usize = 8;
        let (width, height) = (self.width / SIDE, self.height / SIDE);
        let mut pixels = Vec::with_capacity(width * height);
        for (row, column) in (0..height).flat_map(|r| (0..width).map(move |c| (r, c))) {
            let mut sum = [0u32; 3];
            for (y, x) in (0..SIDE).flat_map(|y| (0..SIDE).map(move |x| (y, x))) {
                let pixel = self.at(column * SIDE + x, row * SIDE + y);
                (0..3).for_each(|i| sum[i] += u32::from(pixel[i]));
            }
            pixels.push(sum.map(|s| (s / (SIDE * SIDE) as u32) as u8));
        }
        Picture {
            width,
            height,
            pixels,
        }
    }

    fn write(&self, file: &Path) {
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        let file = File::create(file).unwrap();
        let mut encoder = png::Encoder::new(file, self.width as u32, self.height as u32);
        encoder.set_color(png::ColorType::Rgb);
        encoder.set_depth(png::BitDepth::Eight);
        let mut writer = encoder.write_header().unwrap();
        writer.write_image_data(&self.pixels.concat()).unwrap();
    }
}
