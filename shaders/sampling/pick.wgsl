// Draws one token per row of logits[rows, vocab] by inverting the cumulative distribution in the order of token ids, and
// reports its log-probability. With l = scale * logit (scale is 1 / temperature, 1 for greedy rows):
//   tokens[row]   the first id at which the cumulative probability exceeds a random number in [0, 1); -1 if a logit was
//                 NaN or nothing may be chosen
//   logp[row]     its log-probability among the tokens that may be chosen
//   rawLogp[row]  its log-probability under softmax(l) of the unprocessed logits, which a trainer computes too
// PROCESSED: choose by `work` (see sampling/process.wgsl) instead of the logits. LIMITED: only tokens within the limits
// of the row (see sampling/threshold.wgsl). A greedy row takes the largest logit, the lowest id among equals; logp is then
// 0. SEEN: set the token's bit in its row of `seen`. The random number is Philox word 0 at counters[row], whose position
// (the first word) is advanced, so that a recorded decode step can be replayed.
//
// One workgroup per row. Each lane owns a slab of consecutive ids; the slab that holds the drawn number is divided among
// the lanes again, and the last few ids are walked one by one. A slab is read by TEAM neighbouring lanes at once, which take
// every TEAM-th of its ids, so that they read side by side, and its owner adds up what they found. A lane adds up in blocks:
// added one by one, the 38 thousand numbers of a lane (a vocabulary of 152 thousand, four lanes) lost 1.4e-4 of their sum to
// rounding, since most of them are small against it; in blocks of 128 they lose 2e-7.
#define PROCESSED // choose by `work`
#define LIMITED   // only tokens within the limits of the row
#define SEEN      // mark the token as seen
#include "random/philox.wgsl"
#include "common/sort-key.wgsl"
#include "sampling/row.wgsl"

struct Params { rows: u32, vocab: u32, words: u32 }
#params Params

var<storage, read> logits: array<f32>;
var<storage, read_write> counters: array<vec4u>;
var<storage, read_write> tokens: array<i32>;
var<storage, read_write> logp: array<u32>;
var<storage, read_write> rawLogp: array<u32>;
var<storage, read> settings: array<Row>;
#if PROCESSED
var<storage, read> work: array<f32>;
#endif
#if SEEN
var<storage, read_write> seen: array<u32>;
#endif

#include "common/rows.wgsl"
#include "common/reduce.wgsl"

var<workgroup> masses: array<f32, WORKGROUP>;
var<workgroup> shares: array<vec2f, WORKGROUP>;

const BLOCK = 128u;
// Lanes that read a slab together: 64 bytes at a time.
override TEAM = min(16u, WORKGROUP);
const EXPONENT: u32 = 0x7f800000u;
const NAN: u32 = 0x7fc00000u;

fn candidate(at: u32, scale: f32) -> f32 {
#if PROCESSED
  return scale * work[at];
#else
  return scale * logits[at];
#endif
}

fn allowed(value: f32, token: u32, wanted: Row) -> bool {
#if LIMITED
  let key = sortKey(value);
  return key > wanted.limitKey || (key == wanted.limitKey && token <= wanted.limitId);
#else
  return true;
#endif
}

// exp(l - largest) of a token that may be chosen, else 0.
fn mass(base: u32, token: u32, largest: f32, wanted: Row) -> f32 {
#if PROCESSED
  let value = work[base + token];
#else
  let value = logits[base + token];
#endif
  return select(0.0, exp(wanted.scale * value - largest), allowed(value, token, wanted));
}

// Sums over every `step`-th token of a stretch, relative to the two largest l: of exp(l) under the raw logits, and of `mass`.
fn massesOf(base: u32, first: u32, end: u32, step: u32, largest: vec2f, wanted: Row) -> vec2f {
  var sums = vec2f(0.0);
  for (var start = first; start < end; start += BLOCK * step) {
    var block = vec2f(0.0);
    let stop = min(start + BLOCK * step, end);
    for (var token = start; token < stop; token += step) {
      let raw = exp(wanted.scale * logits[base + token] - largest.x);
      block += vec2f(raw, mass(base, token, largest.y, wanted));
    }
    sums += block;
  }
  return sums;
}

// The sums of the lane's own slab, which its team reads with it.
fn massesOfSlab(base: u32, slab: u32, lane: u32, largest: vec2f, wanted: Row) -> vec2f {
  let team = lane / TEAM * TEAM;
  var own = vec2f(0.0);
  for (var i = 0u; i < TEAM; i++) {
    let first = (team + i) * slab;
    let end = min(first + slab, params.vocab);
    workgroupBarrier();
    shares[lane] = massesOf(base, first + lane % TEAM, end, TEAM, largest, wanted);
    workgroupBarrier();
    if (lane == team + i) {
      for (var j = 0u; j < TEAM; j++) { own += shares[team + j]; }
    }
  }
  return own;
}

// Where a number falls among parts laid end to end: the part, and the number relative to its start. The last part that
// is not empty takes what rounding pushed past the end.
struct Place { part: u32, rest: f32 }

fn place(number: f32) -> Place {
  var found = Place(0u, 0.0);
  var before = 0.0;
  for (var i = 0u; i < WORKGROUP; i++) {
    let length = masses[i];
    if (length > 0.0) {
      found = Place(i, number - before);
      if (before + length > number) { break; }
    }
    before += length;
  }
  return found;
}

fn finish(row: u32, token: u32, scale: f32, chosenLogp: f32, rawNormaliser: f32, valid: bool) {
  let chosenRawLogp = scale * logits[row * params.vocab + token] - rawNormaliser;
  tokens[row] = select(-1, i32(token), valid);
  // As bits: a compiler that assumes that NaN does not exist may drop a choice between floats.
  logp[row] = select(NAN, bitcast<u32>(chosenLogp), valid);
  rawLogp[row] = select(NAN, bitcast<u32>(chosenRawLogp), valid);
#if SEEN
  if (valid) { seen[row * params.words + (token >> 5u)] |= 1u << (token & 31u); }
#endif
  counters[row].x += 1u;
}

fn processRow(row: u32, lane: u32) {
  let base = row * params.vocab;
  let wanted = settings[row];
  let slab = (params.vocab + WORKGROUP - 1u) / WORKGROUP;

  var rawLargest = FORBIDDEN;
  var largest = FORBIDDEN;
  var best = lane;
  for (var token = lane; token < params.vocab; token += WORKGROUP) {
    let l = wanted.scale * logits[base + token];
    rawLargest = max(rawLargest, l);
#if PROCESSED
    let c = candidate(base + token, wanted.scale);
#else
    let c = l;
#endif
    if (c > largest) {
      largest = c;
      best = token;
    }
  }
  rawLargest = workgroupMax(rawLargest, lane);
  let top = workgroupMax(largest, lane);
  let sums = massesOfSlab(base, slab, lane, vec2f(rawLargest, top), wanted);
  let rawSum = workgroupSum(sums.x, lane);
  let rawNormaliser = rawLargest + log(rawSum);
  let finite = (bitcast<u32>(rawSum) & EXPONENT) != EXPONENT;
  let possible = finite && top > 0.5 * FORBIDDEN * wanted.scale;

  if (wanted.greedy != 0u) {
    // A vocabulary has at most 2^24 tokens, whose ids are f32 numbers.
    let order = select(0.0, f32(params.vocab - best), largest == top && lane < params.vocab);
    let winner = workgroupMax(order, lane);
    if (select(order == winner && order > 0.0, lane == 0u, winner == 0.0)) {
      finish(row, best, wanted.scale, 0.0, rawNormaliser, possible);
    }
    return;
  }
  workgroupBarrier();
  masses[lane] = sums.y;
  workgroupBarrier();
  var total = 0.0;
  for (var i = 0u; i < WORKGROUP; i++) { total += masses[i]; }
  let random = unitFloat(philox4x32(counters[row], wanted.seed).x);
  let outer = place(random * total);

  let begin = outer.part * slab;
  let stop = min(begin + slab, params.vocab);
  let share = (slab + WORKGROUP - 1u) / WORKGROUP;
  let innerEnd = min(begin + (lane + 1u) * share, stop);
  workgroupBarrier();
  masses[lane] = massesOf(base, begin + lane * share, innerEnd, 1u, vec2f(rawLargest, top), wanted).y;
  workgroupBarrier();
  let inner = place(outer.rest);

  if (lane != 0u) { return; }
  var chosen = begin + inner.part * share;
  var before = 0.0;
  let last = min(chosen + share, stop);
  for (var token = chosen; token < last; token++) {
    let m = mass(base, token, top, wanted);
    if (m > 0.0) {
      chosen = token;
      if (before + m > inner.rest) { break; }
    }
    before += m;
  }
  let chosenLogp = candidate(base + chosen, wanted.scale) - top - log(total);
  finish(row, chosen, wanted.scale, chosenLogp, rawNormaliser, possible && total > 0.0);
}
