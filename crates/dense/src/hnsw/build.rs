//! Building the graph: rows enter in batches, each row of a batch searches the graph as the batch found it, then all are linked in order.
//! So the graph does not depend on the number of threads; and since rows are compared in bytes, not on the processor either.

use rayon::prelude::*;
use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::beam::{Aim, Scratch, closest, descend, enter, search};
use super::candidate::Candidate;
use super::codes::{Bytes, BytesQuery};
use super::graph::{Graph, Layer, NONE};
use super::pool::Pool;
use super::prune::PruneScratch;

/// A batch is at most this part of what is in the graph: its rows do not see one another.
const PART: usize = 16;

/// Rows of a batch at most.
const BATCH: usize = 2048;

/// Layers at most.
const LAYERS: usize = 16;

/// What decides a graph besides its rows.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    /// Neighbours of a node on the upper layers; twice as many on the lowest.
    pub(crate) m: usize,
    /// Candidates among which neighbours are chosen.
    pub(crate) ef: usize,
    pub(crate) seed: u64,
}

/// A layer that grows. A list may hold half as many again as will stay, so that choosing is rare.
#[derive(Debug)]
pub(crate) struct Growing {
    pub(crate) rows: Vec<u32>,
    pub(crate) below: Vec<u32>,
    pub(crate) links: Vec<u32>,
    /// Neighbours that stay.
    pub(crate) degree: usize,
    /// Length of a list.
    room: usize,
}

impl Growing {
    fn new(rows: Vec<u32>, below: Vec<u32>, nodes: usize, degree: usize) -> Self {
        let room = degree + degree / 2;
        Self { rows, below, links: vec![NONE; nodes * room], degree, room }
    }

    pub(crate) fn view(&self) -> Layer<'_> {
        Layer { rows: &self.rows, below: &self.below, links: &self.links, degree: self.room }
    }

    /// The number of `row`, which is in this layer.
    fn node_of(&self, row: u32) -> u32 {
        if self.rows.is_empty() { row } else { self.rows.partition_point(|r| *r < row) as u32 }
    }

    fn set(&mut self, node: u32, neighbors: impl Iterator<Item = u32>) {
        let list = &mut self.links[node as usize * self.room..][..self.room];
        list.fill(NONE);
        list.iter_mut().zip(neighbors).for_each(|(slot, neighbor)| *slot = neighbor);
    }
}

/// A row's neighbours, a list for each of its layers, the lowest first.
struct Placed {
    row: u32,
    neighbors: Vec<Vec<Candidate>>,
}

/// Builds the layers over `members`, the rows that enter the graph, of `codes`; the lowest layer has room for all rows.
pub(crate) fn build(codes: &Bytes<'_>, members: &[u32], shape: Shape, progress: &mut dyn FnMut(u64)) -> Vec<Growing> {
    let mut layers = layers(members, codes.scales.len(), shape);
    let order = order(members, &layers, shape);
    let tools = Pool::<Tool>::default();
    let mut done = 0;
    while done < order.len() {
        let size = (done / PART).clamp(1, BATCH).min(order.len() - done);
        let batch = &order[done..done + size];
        let placed: Vec<Placed> =
            batch.par_iter().map(|row| tools.with(|t| place(&layers, codes, *row, shape, t))).collect();
        link(&mut layers, codes, &placed, &tools);
        done += size;
        progress(done as u64);
    }
    for layer in &mut layers {
        finish(layer, codes, &tools);
    }
    layers
}

/// The highest layer of a row: each is `m` times as rare as the one below.
fn height(row: u32, shape: Shape) -> usize {
    let mut dice = xxh3_64_with_seed(&row.to_le_bytes(), shape.seed);
    let mut height = 0;
    while dice.is_multiple_of(shape.m as u64) && height + 1 < LAYERS {
        dice /= shape.m as u64;
        height += 1;
    }
    height
}

fn layers(members: &[u32], rows: usize, shape: Shape) -> Vec<Growing> {
    let mut layers = vec![Growing::new(vec![], vec![], rows, 2 * shape.m)];
    loop {
        let height_of = |row: &u32| height(*row, shape) >= layers.len();
        let rows: Vec<u32> = members.iter().copied().filter(height_of).collect();
        if rows.is_empty() || layers.len() == LAYERS {
            return layers;
        }
        let last = layers.last().expect("never empty");
        let below = rows.iter().map(|row| last.node_of(*row)).collect();
        let nodes = rows.len();
        layers.push(Growing::new(rows, below, nodes, shape.m));
    }
}

/// The order of entering: by lot, but first of all the row where searches begin.
fn order(members: &[u32], layers: &[Growing], shape: Shape) -> Vec<u32> {
    let top = layers.last().expect("never empty");
    let entry = top.rows.first().or(members.first()).copied();
    let mut order = members.to_vec();
    let lot = |row: &u32| (Some(*row) != entry, xxh3_64_with_seed(&row.to_le_bytes(), !shape.seed), *row);
    order.par_sort_unstable_by_key(lot);
    order
}

/// Finds the neighbours of a row in the graph as it is.
fn place(layers: &[Growing], codes: &Bytes<'_>, row: u32, shape: Shape, tool: &mut Tool) -> Placed {
    codes.query_of_row(row, &mut tool.query);
    let graph = Graph { layers: layers.iter().map(Growing::view).collect() };
    let height = layers.iter().skip(1).take_while(|layer| layer.rows.binary_search(&row).is_ok()).count();
    let mut entries = enter(&graph, codes, &tool.query);
    // The first row meets itself.
    entries.retain(|entry| graph.layers.last().is_some_and(|top| top.row(entry.node()) != row));
    let mut neighbors = Vec::with_capacity(height + 1);
    for (at, layer) in graph.layers.iter().enumerate().rev() {
        if at > height {
            search(layer, codes, &tool.query, &closest(), &mut tool.scratch, &mut entries);
        } else {
            let aim = Aim { ef: shape.ef, accept: |_| true, budget: usize::MAX };
            search(layer, codes, &tool.query, &aim, &mut tool.scratch, &mut entries);
            let mut chosen = entries.clone();
            tool.prune.diverse(layer, codes, &mut chosen, layers[at].degree);
            neighbors.push(chosen);
        }
        if at > 0 {
            descend(layer, &mut entries);
        }
    }
    neighbors.reverse();
    Placed { row, neighbors }
}

/// Writes the lists of a batch and adds each of its rows to the lists of its neighbours.
fn link(layers: &mut [Growing], codes: &Bytes<'_>, placed: &[Placed], tools: &Pool<Tool>) {
    for (at, layer) in layers.iter_mut().enumerate() {
        let mut back: Vec<(u32, u32)> = Vec::new();
        for Placed { row, neighbors } in placed {
            let Some(chosen) = neighbors.get(at) else { continue };
            let node = layer.node_of(*row);
            layer.set(node, chosen.iter().map(|c| c.node()));
            back.extend(chosen.iter().map(|c| (c.node(), node)));
        }
        back.par_sort_unstable();
        let groups: Vec<&[(u32, u32)]> = back.chunk_by(|a, b| a.0 == b.0).collect();
        let lists: Vec<Vec<u32>> =
            groups.par_iter().map(|group| tools.with(|t| joined(layer, codes, group, t))).collect();
        for (group, list) in groups.iter().zip(lists) {
            layer.set(group[0].0, list.into_iter());
        }
    }
}

/// The list of a node with the rows that name it as a neighbour.
fn joined(layer: &Growing, codes: &Bytes<'_>, group: &[(u32, u32)], tool: &mut Tool) -> Vec<u32> {
    let view = layer.view();
    let mut list: Vec<u32> = view.neighbors(group[0].0).collect();
    list.extend(group.iter().map(|(_, source)| *source));
    if list.len() > layer.room {
        list = chosen(layer, codes, group[0].0, &list, tool);
    }
    list
}

fn chosen(layer: &Growing, codes: &Bytes<'_>, node: u32, list: &[u32], tool: &mut Tool) -> Vec<u32> {
    let view = layer.view();
    let mut ranked = tool.prune.ranked(&view, codes, node, list);
    tool.prune.diverse(&view, codes, &mut ranked, layer.degree);
    ranked.into_iter().map(|c| c.node()).collect()
}

/// Brings every list to its last length.
fn finish(layer: &mut Growing, codes: &Bytes<'_>, tools: &Pool<Tool>) {
    let nodes = layer.links.len() / layer.room;
    let mut links = vec![NONE; nodes * layer.degree];
    let reader = &*layer;
    links.par_chunks_mut(layer.degree).enumerate().for_each(|(node, out)| {
        let mut list: Vec<u32> = reader.view().neighbors(node as u32).collect();
        if list.len() > reader.degree {
            list = tools.with(|tool| chosen(reader, codes, node as u32, &list, tool));
        }
        out[..list.len()].copy_from_slice(&list);
    });
    layer.links = links;
    layer.room = layer.degree;
}

/// What a thread needs for a row.
#[derive(Debug, Default)]
struct Tool {
    query: BytesQuery,
    scratch: Scratch,
    prune: PruneScratch,
}
