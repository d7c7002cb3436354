//! One immutable graph over some shards of a store, in one file.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::build::{Growing, Shape, build};
use super::codes::{Binary, BinaryRows, Bytes, BytesRows, Halves, HalvesRows, centre_of};
use super::graph::{Graph, Layer};
use super::kernel::{Isa, Table};
use super::scalar::Scalar;
use super::source::Source;
use super::twins::{Twins, TwinsView};
use crate::Result;
use crate::sections::{Mapped, Section, Sections, Writer};

/// The table at the end of a segment's file.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Contents {
    rows: u32,
    dim: u32,
    scalar: Scalar,
    layers: Vec<LayerContents>,
    /// What a search reads: `rows` times bytes, halves or bits.
    codes: Section,
    /// A factor for each row; none for f16.
    scales: Section,
    /// What rescoring reads besides: the lower plane, or halves.
    exact: Section,
    /// The mean of the rows, for bits alone.
    centre: Section,
    twin_first: Section,
    twin_ends: Section,
    twin_others: Section,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct LayerContents {
    degree: u32,
    rows: Section,
    below: Section,
    links: Section,
}

/// A finished segment, mapped.
#[derive(Debug)]
pub(crate) struct Segment {
    file: Mapped,
    contents: Contents,
    isa: Isa,
}

/// The rows of a segment by what they are stored as.
#[derive(Clone, Copy)]
pub(crate) enum StoredCodes<'a> {
    F16(Halves<'a>),
    Int8(Bytes<'a>),
    Binary(Binary<'a>),
}

/// Builds a graph over `source` and writes it to `path`; returns the checksum of the file's table.
pub(crate) fn write(
    path: &Path,
    source: &Source<'_>,
    scalar: Scalar,
    shape: Shape,
    progress: &mut dyn FnMut(u64),
) -> Result<u64> {
    let mut bytes = BytesRows::new(source.cut.dim);
    source.each(|row| bytes.push(row));
    let twins = Twins::find(&bytes);
    let layers = grow(&bytes, &twins, shape, progress);
    let mut file = Writer::create(path, Sections::Segment)?;
    let mut contents = Contents {
        rows: source.len() as u32,
        dim: source.cut.dim as u32,
        scalar,
        layers: write_layers(&mut file, &layers)?,
        codes: Section::default(),
        scales: Section::default(),
        exact: Section::default(),
        centre: Section::default(),
        twin_first: file.section(bytemuck::cast_slice(&twins.first))?,
        twin_ends: file.section(bytemuck::cast_slice(&twins.ends))?,
        twin_others: file.section(bytemuck::cast_slice(&twins.others))?,
    };
    match scalar {
        Scalar::Int8 => {
            contents.codes = file.section(&bytes.high)?;
            contents.scales = file.section(bytemuck::cast_slice(&bytes.scales))?;
            contents.exact = file.section(&bytes.low)?;
        }
        Scalar::F16 => {
            drop(bytes);
            contents.codes = file.section(&halves(source).bytes)?;
        }
        Scalar::Binary => {
            drop(bytes);
            let (centre, bits) = binary(source);
            contents.codes = file.section(&bits.bits)?;
            contents.scales = file.section(bytemuck::cast_slice(&bits.factors))?;
            contents.exact = file.section(&halves(source).bytes)?;
            contents.centre = file.section(bytemuck::cast_slice(&centre))?;
        }
    }
    file.finish(&contents)
}

/// The graph over rows in bytes, whatever a search will read of them.
fn grow(bytes: &BytesRows, twins: &Twins, shape: Shape, progress: &mut dyn FnMut(u64)) -> Vec<Growing> {
    let isa = Isa::widest();
    let (high, low) = (Table::new(&bytes.high, bytes.stride), Table::new(&bytes.low, bytes.stride));
    let codes = Bytes { isa, high, low, scales: &bytes.scales };
    let mut members: Vec<u32> = (0..bytes.scales.len() as u32).collect();
    if !twins.others.is_empty() {
        let mut others = twins.others.clone();
        others.sort_unstable();
        members.retain(|row| others.binary_search(row).is_err());
    }
    build(&codes, &members, shape, progress)
}

fn halves(source: &Source<'_>) -> HalvesRows {
    let mut rows = HalvesRows::default();
    source.each(|row| rows.push(row));
    rows
}

fn binary(source: &Source<'_>) -> (Vec<f32>, BinaryRows) {
    let mut sums = vec![0f64; source.cut.dim];
    source.each(|row| sums.iter_mut().zip(row).for_each(|(sum, x)| *sum += f64::from(*x)));
    let centre = centre_of(&sums, source.len());
    let mut rows = BinaryRows::default();
    source.each(|row| rows.push(row, &centre));
    (centre, rows)
}

fn write_layers(file: &mut Writer, layers: &[Growing]) -> Result<Vec<LayerContents>> {
    let one = |layer: &Growing| {
        Ok(LayerContents {
            degree: layer.degree as u32,
            rows: file.section(bytemuck::cast_slice(&layer.rows))?,
            below: file.section(bytemuck::cast_slice(&layer.below))?,
            links: file.section(bytemuck::cast_slice(&layer.links))?,
        })
    };
    layers.iter().map(one).collect()
}

impl Segment {
    /// Maps `path` and checks all but the numbers of rows and their lists: its time does not grow with the rows, but for a sixteenth of them.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let (file, contents): (Mapped, Contents) = Mapped::open(path, Sections::Segment)?;
        let segment = Self { file, contents, isa: Isa::widest() };
        segment.check_rows()?;
        segment.check_layers()?;
        Ok(segment)
    }

    fn check_rows(&self) -> Result<()> {
        let Contents { rows, dim, scalar, .. } = self.contents;
        let (rows, dim) = (rows as usize, dim as usize);
        if dim == 0 {
            return Err(self.file.damaged("table"));
        }
        let (codes, scales, exact, centre) = match scalar {
            Scalar::F16 => (HalvesRows::stride(dim), 0, 0, 0),
            Scalar::Int8 => (BytesRows::new(dim).stride, 4, BytesRows::new(dim).stride, 0),
            Scalar::Binary => (BinaryRows::stride(dim), 4, HalvesRows::stride(dim), 4 * dim),
        };
        self.file.check(self.contents.codes, rows.checked_mul(codes), "vectors")?;
        self.file.check(self.contents.scales, rows.checked_mul(scales), "scales")?;
        self.file.check(self.contents.exact, rows.checked_mul(exact), "vectors for rescoring")?;
        self.file.check(self.contents.centre, Some(centre), "mean")?;
        let Contents { twin_first, twin_ends, twin_others, .. } = self.contents;
        let whole = |section: Section| section.whole(4);
        self.file.check(twin_first, whole(twin_first), "twins")?;
        self.file.check(twin_ends, whole(twin_first), "twins")?;
        self.file.check(twin_others, whole(twin_others), "twins")
    }

    fn check_layers(&self) -> Result<()> {
        let mut nodes = self.contents.rows as usize;
        for (at, layer) in self.contents.layers.iter().enumerate() {
            let upper = at > 0;
            let rows = layer.rows.whole(4);
            self.file.check(layer.rows, if upper { rows } else { Some(0) }, "layers")?;
            self.file.check(layer.below, if upper { rows } else { Some(0) }, "layers")?;
            let (above, below) = (nodes, rows.unwrap_or(0) / 4);
            nodes = if upper { below } else { above };
            let bytes = nodes.checked_mul(4 * layer.degree as usize).filter(|_| layer.degree > 0);
            self.file.check(layer.links, bytes, "links")?;
            let within =
                |section: Section, most: usize| self.file.numbers::<u32>(section).iter().all(|n| (*n as usize) < most);
            if !within(layer.rows, self.len()) || !within(layer.below, above) {
                return Err(self.file.damaged("layers"));
            }
        }
        match self.contents.layers.is_empty() {
            true => Err(self.file.damaged("table")),
            false => Ok(()),
        }
    }

    /// Reads every byte and holds it against the checksums written.
    pub(crate) fn verify(&self) -> Result<()> {
        let c = &self.contents;
        let mut sections =
            vec![(c.codes, "vectors"), (c.scales, "scales"), (c.exact, "vectors for rescoring"), (c.centre, "mean")];
        sections.extend([c.twin_first, c.twin_ends, c.twin_others].map(|s| (s, "twins")));
        sections.extend(c.layers.iter().flat_map(|l| [(l.rows, "layers"), (l.below, "layers"), (l.links, "links")]));
        self.file.verify(&sections)
    }

    /// Number of rows.
    pub(crate) fn len(&self) -> usize {
        self.contents.rows as usize
    }

    /// Length of a row.
    pub(crate) fn dim(&self) -> usize {
        self.contents.dim as usize
    }

    /// What a search reads on its way.
    pub(crate) fn scalar(&self) -> Scalar {
        self.contents.scalar
    }

    /// Checksum of the file's table.
    pub(crate) fn table_xxh3(&self) -> u64 {
        self.file.table_xxh3
    }

    /// The layers.
    pub(crate) fn graph(&self) -> Graph<'_> {
        let layer = |layer: &LayerContents| Layer {
            rows: self.file.numbers(layer.rows),
            below: self.file.numbers(layer.below),
            links: self.file.numbers(layer.links),
            degree: layer.degree as usize,
        };
        Graph { layers: self.contents.layers.iter().map(layer).collect() }
    }

    /// Rows that are stored alike.
    pub(crate) fn twins(&self) -> TwinsView<'_> {
        let c = &self.contents;
        TwinsView {
            first: self.file.numbers(c.twin_first),
            ends: self.file.numbers(c.twin_ends),
            others: self.file.numbers(c.twin_others),
        }
    }

    /// The rows.
    pub(crate) fn codes(&self) -> StoredCodes<'_> {
        let (c, isa) = (&self.contents, self.isa);
        let table = |section, stride| Table::new(self.file.numbers(section), stride);
        let halves = |section| Halves { isa, rows: table(section, HalvesRows::stride(self.dim())) };
        match c.scalar {
            Scalar::F16 => StoredCodes::F16(halves(c.codes)),
            Scalar::Int8 => {
                let stride = BytesRows::new(self.dim()).stride;
                let (high, low) = (table(c.codes, stride), table(c.exact, stride));
                StoredCodes::Int8(Bytes { isa, high, low, scales: self.file.numbers(c.scales) })
            }
            Scalar::Binary => StoredCodes::Binary(Binary {
                bits: table(c.codes, BinaryRows::stride(self.dim())),
                factors: self.file.numbers(c.scales),
                centre: self.file.numbers(c.centre),
                exact: halves(c.exact),
            }),
        }
    }
}
