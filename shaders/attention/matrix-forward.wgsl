// Attention forward on matrix units: out = softmax(scale * q k^T) v over what each row's segment lets it see, and the
// log-sum-exp of each row's scores (natural logarithm) for the backward pass. Needs the subgroup-matrix tier.
//
//   q [H, 2, TP, DP], k [Hkv, 2, TP, DP], v [Hkv, 2, DC, TP]: packed in two parts (attention/pack.wgsl), with the bits of
//   their largest magnitudes. out [T, H, D]; lse [T, H]; D = 4 * D4. Query head h reads key head h / (H / Hkv).
//   tiles: two vec4u per tile (src/kernels/attention/segments.ts, queryTiles with OWN rows).
//
// Of both products the upper part times each part of the other, and the lower times the upper: as good as f32, as sampler and
// trainer must agree. Statistics of the softmax are f32, and what they are relative to is not always the largest score so
// far: results are brought to a new one when it is GROWTH powers of two above, which after the first block is rare. Weights
// are multiplied by 2^11: then the largest are 2^15, and f16 holds both parts of those down to 2^-14.
#include "attention/matrix.wgsl"

struct Params { heads: u32, kvHeads: u32, causal: u32, scale: f32, padded: u32 }
#params Params

var<storage, read> q: array<vec4h>;
var<storage, read> k: array<vec4h>;
var<storage, read> v: array<vec4h>;
var<storage, read> largest: array<u32>;
var<storage, read> tiles: array<vec4u>;
var<storage, read_write> out: array<vec4f>;
var<storage, read_write> lse: array<f32>;

// Finite, so that rows that have seen nothing yet do not make NaN from infinity minus infinity.
const LOWEST = -3.0e38;
const GROWTH = 4.0;
const LIFT = 11.0;
const PART_P = OWN * ROW_P;

var<workgroup> scores: array<vec4f, OWN * ROW_S>;
var<workgroup> weights: array<vec4h, 2u * PART_P>;
var<workgroup> partial: array<f32, OWN * ${TEAM}u>;
var<workgroup> factors: array<f32, OWN>;
var<workgroup> grown: u32;

#if FIXED_SIZE
@compute @workgroup_size(THREADS) @subgroup_size(SUBGROUP)
#else
@compute @workgroup_size(THREADS)
#endif
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
  let tile = tiles[2u * group.x];
  let more = tiles[2u * group.x + 1u];
  let head = group.y;
  let kvHead = head / (params.heads / params.kvHeads);
  let causal = (params.causal != 0u) & (more.z == 0u);
  let subgroup = thread / SUBGROUP;
  let lane = thread % SUBGROUP;
  let ownRow = subgroup / 2u * ${OWN / 2}u;
  let seenRow = subgroup % 2u * ${SEEN / 2}u;
  let column = subgroup % 2u * ${DC / 2}u;
  let partQ = params.padded * ${DP}u;
  let partV = params.padded * ${DC}u;
  let fromQ = 2u * head * partQ + (tile.x + ownRow) * ${DP}u;
  let fromK = 2u * kvHead * partQ + seenRow * ${DP}u;
  let fromV = 2u * kvHead * partV + column * params.padded;
  let toScores = ownRow * ROW_S + seenRow / 4u;
  let scale = params.scale * LOG2E * unscaled(largest[0]);
  let scaleK = unscaled(largest[1]);
  let team = thread % ${TEAM}u;
  let row = thread / ${TEAM}u;
  var top = LOWEST;
  var sum = 0.0;
#for i in 0..OWN / 2 / SHAPE_M
#for n in 0..DC / 2 / SHAPE_N
  var o${i}_${n} = Result(0.0);
#endfor
#endfor

  let prefix = vec2u(firstWithin(more.x, more.y, tile.x, more.w), more.y);
  let prefixFirst = prefix.x & ~7u;
  let prefixBlocks = select(0u, (prefix.y - prefixFirst + SEEN - 1u) / SEEN, prefix.y > prefix.x);
  let ownEnd = select(tile.w, min(tile.w, tile.y), causal);
  let ownFirst = firstWithin(tile.z, ownEnd, tile.x, 0u) & ~7u;
  let blocks = prefixBlocks + select(0u, (ownEnd - ownFirst + SEEN - 1u) / SEEN, ownEnd > ownFirst);
  for (var b = 0u; b < blocks; b++) {
    let inPrefix = b < prefixBlocks;
    let first = select(ownFirst + (b - prefixBlocks) * SEEN, prefixFirst + b * SEEN, inPrefix);
    let begin = max(select(tile.z, more.x, inPrefix), firstSeen(tile.x + row, select(0u, more.w, inPrefix)));
    let end = select(ownEnd, prefix.y, inPrefix);
#for i in 0..OWN / 2 / SHAPE_M
#for j in 0..SEEN / 2 / SHAPE_N
    var s${i}_${j} = Result(0.0);
#endfor
#endfor
    for (var d = 0u; d < ${DP}u; d += ${SHAPE_K}u) {
#for j in 0..SEEN / 2 / SHAPE_N
      let atK${j} = fromK + (first + ${j * SHAPE_N}u) * ${DP}u + d;
      let highK${j} = subgroupMatrixLoad<Right, col_major>(&k, atK${j} / 4u, ${DP / 4}u);
      let lowK${j} = subgroupMatrixLoad<Right, col_major>(&k, (atK${j} + partQ) / 4u, ${DP / 4}u);
#endfor
#for i in 0..OWN / 2 / SHAPE_M
      let atQ${i} = fromQ + ${i * SHAPE_M * DP}u + d;
      let highQ${i} = subgroupMatrixLoad<Left, row_major>(&q, atQ${i} / 4u, ${DP / 4}u);
      let lowQ${i} = subgroupMatrixLoad<Left, row_major>(&q, (atQ${i} + partQ) / 4u, ${DP / 4}u);
#for j in 0..SEEN / 2 / SHAPE_N
      s${i}_${j} = subgroupMatrixMultiplyAccumulate(lowQ${i}, highK${j}, s${i}_${j});
      s${i}_${j} = subgroupMatrixMultiplyAccumulate(highQ${i}, lowK${j}, s${i}_${j});
      s${i}_${j} = subgroupMatrixMultiplyAccumulate(highQ${i}, highK${j}, s${i}_${j});
#endfor
#endfor
    }
#for i in 0..OWN / 2 / SHAPE_M
#for j in 0..SEEN / 2 / SHAPE_N
    subgroupMatrixStore<row_major>(&scores, toScores + ${i * SHAPE_M}u * ROW_S + ${j * SHAPE_N / 4}u, s${i}_${j}, ROW_S);
#endfor
#endfor
    workgroupBarrier();
    let stop = select(end, min(end, tile.x + row + 1u), causal & !inPrefix);
    var high = LOWEST;
#for w in 0..SEEN / 4 / TEAM
    let key${w} = vec4u(first + 4u * (${w * TEAM}u + team)) + vec4u(0u, 1u, 2u, 3u);
    let visible${w} = (key${w} >= vec4u(begin)) & (key${w} < vec4u(stop));
    let x${w} = select(vec4f(LOWEST), scores[row * ROW_S + ${w * TEAM}u + team] * scale * scaleK, visible${w});
    high = max(high, max(max(x${w}.x, x${w}.y), max(x${w}.z, x${w}.w)));
#endfor
#if TEAM > 1
    partial[row * ${TEAM}u + team] = high;
#endif
#if TEAM > 1
    workgroupBarrier();
#endif
    {
#if TEAM > 1
#for t in 0..TEAM
      high = max(high, partial[row * ${TEAM}u + ${t}u]);
#endfor
#endif
      let next = select(top, high, high > top + GROWTH);
      let shrink = exp2(top - next);
      if ((team == 0u) & (next != top)) { grown = b + 1u; }
      top = next;
      sum *= shrink;
      if (team == 0u) { factors[row] = shrink; }
#for w in 0..SEEN / 4 / TEAM
      let p${w} = select(vec4f(), exp2(x${w} - next + LIFT), visible${w});
      let upper${w} = upperBits(p${w});
      sum += dot(p${w}, vec4f(1.0));
      weights[row * ROW_P + ${w * TEAM}u + team] = vec4h(upper${w});
      weights[PART_P + row * ROW_P + ${w * TEAM}u + team] = vec4h(p${w} - upper${w});
#endfor
    }
    let rescale = workgroupUniformLoad(&grown) == b + 1u;
    if (rescale & (b > 0u)) {
#for n in 0..DC / 2 / SHAPE_N
      workgroupBarrier();
#for i in 0..OWN / 2 / SHAPE_M
      subgroupMatrixStore<row_major>(&scores, toScores + ${i * SHAPE_M}u * ROW_S, o${i}_${n}, ROW_S);
#endfor
      workgroupBarrier();
      for (var e = lane; e < ${OWN / 2 * SHAPE_N / 4}u; e += SUBGROUP) {
        let row = e / ${SHAPE_N / 4}u;
        scores[toScores + row * ROW_S + e % ${SHAPE_N / 4}u] *= factors[ownRow + row];
      }
      workgroupBarrier();
#for i in 0..OWN / 2 / SHAPE_M
      o${i}_${n} = subgroupMatrixLoad<Result, row_major>(&scores, toScores + ${i * SHAPE_M}u * ROW_S, ROW_S);
#endfor
#endfor
      workgroupBarrier();
    }
    for (var key = 0u; key < SEEN; key += ${SHAPE_K}u) {
#for i in 0..OWN / 2 / SHAPE_M
      let atP${i} = (ownRow + ${i * SHAPE_M}u) * ROW_P + key / 4u;
      let highP${i} = subgroupMatrixLoad<Left, row_major>(&weights, atP${i}, ROW_P);
      let lowP${i} = subgroupMatrixLoad<Left, row_major>(&weights, PART_P + atP${i}, ROW_P);
#endfor
#for n in 0..DC / 2 / SHAPE_N
      let atV${n} = (fromV + ${n * SHAPE_N}u * params.padded + first + key) / 4u;
      let highV${n} = subgroupMatrixLoad<Right, col_major>(&v, atV${n}, params.padded / 4u);
      let lowV${n} = subgroupMatrixLoad<Right, col_major>(&v, atV${n} + partV / 4u, params.padded / 4u);
#for i in 0..OWN / 2 / SHAPE_M
      o${i}_${n} = subgroupMatrixMultiplyAccumulate(lowP${i}, highV${n}, o${i}_${n});
      o${i}_${n} = subgroupMatrixMultiplyAccumulate(highP${i}, lowV${n}, o${i}_${n});
      o${i}_${n} = subgroupMatrixMultiplyAccumulate(highP${i}, highV${n}, o${i}_${n});
#endfor
#endfor
    }
  }

  // Each invocation of a row summed its own keys.
  partial[row * ${TEAM}u + team] = sum;
  workgroupBarrier();
  if (team == 0u) {
    var total = 0.0;
#for t in 0..TEAM
    total += partial[row * ${TEAM}u + ${t}u];
#endfor
    factors[row] = select(0.0, unscaled(largest[2]) / total, blocks > 0u);
    if (tile.x + row < tile.y) {
      let found = top * LN2 + log(total * exp2(-LIFT));
      lse[(tile.x + row) * params.heads + head] = select(LOWEST, found, blocks > 0u);
    }
  }
#for n in 0..DC / 2 / SHAPE_N
  workgroupBarrier();
#for i in 0..OWN / 2 / SHAPE_M
  subgroupMatrixStore<row_major>(&scores, toScores + ${i * SHAPE_M}u * ROW_S, o${i}_${n}, ROW_S);
#endfor
  workgroupBarrier();
  for (var e = lane; e < ${OWN / 2 * SHAPE_N / 4}u; e += SUBGROUP) {
    let row = ownRow + e / ${SHAPE_N / 4}u;
    let four = column / 4u + ${n * SHAPE_N / 4}u + e % ${SHAPE_N / 4}u;
    if ((tile.x + row < tile.y) & (four < D4)) {
      let result = scores[row * ROW_S + seenRow / 4u + e % ${SHAPE_N / 4}u] * factors[row];
      out[((tile.x + row) * params.heads + head) * D4 + four] = result;
    }
  }
#endfor
}
