// Attention backward on matrix units: dq. Scores are recomputed block by block; nothing of size T x T exists.
//
//   Packed operands: attention/matrix-backward.wgsl; columnsK [Hkv, 1, DC, TP]. dq [T, H, D]; stats [T, H, 2]
//   (attention/stats.wgsl). tiles: two vec4u per tile (src/kernels/attention/segments.ts, queryTiles with OWN rows).
//
// One workgroup owns a tile of rows of one head and walks the keys they see: p = exp(scale q.k - lse),
// ds = p (gradOut.v - delta), dq += scale ds k. dq has a relative L2 error below 5e-4.
#include "attention/matrix-backward.wgsl"

var<storage, read> columnsK: array<vec4h>;
var<storage, read> tiles: array<vec4u>;
var<storage, read_write> dq: array<vec4f>;

var<workgroup> weights: array<vec4h, OWN * ROW_P>;

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
  let partRows = params.padded * ${DP}u;
  let fromOwn = 2u * head * partRows + (tile.x + ownRow) * ${DP}u;
  let fromSeen = 2u * kvHead * partRows + seenRow * ${DP}u;
  let fromColumns = (kvHead * ${DC}u + column) * params.padded;
  let toScores = ownRow * ROW_S + seenRow / 4u;
  let scale = params.scale * LOG2E * unscaled(largest[0]);
  let scaleK = unscaled(largest[1]);
  let team = thread % ${TEAM}u;
  let row = thread / ${TEAM}u;
  let stat = stats[min(tile.x + row, tile.y - 1u) * params.heads + head];
  let delta = stat.y * upscaled(largest[3]) * upscaled(largest[2]);
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
    var g${i}_${j} = Result(0.0);
#endfor
#endfor
    for (var d = 0u; d < ${DP}u; d += ${SHAPE_K}u) {
#for j in 0..SEEN / 2 / SHAPE_N
      let seen${j} = fromSeen + (first + ${j * SHAPE_N}u) * ${DP}u + d;
      let highK${j} = subgroupMatrixLoad<Right, col_major>(&k, seen${j} / 4u, ${DP / 4}u);
      let lowK${j} = subgroupMatrixLoad<Right, col_major>(&k, (seen${j} + partRows) / 4u, ${DP / 4}u);
      let highV${j} = subgroupMatrixLoad<Right, col_major>(&v, seen${j} / 4u, ${DP / 4}u);
      let lowV${j} = subgroupMatrixLoad<Right, col_major>(&v, (seen${j} + partRows) / 4u, ${DP / 4}u);
#endfor
#for i in 0..OWN / 2 / SHAPE_M
      let own${i} = fromOwn + ${i * SHAPE_M * DP}u + d;
      let highQ${i} = subgroupMatrixLoad<Left, row_major>(&q, own${i} / 4u, ${DP / 4}u);
      let lowQ${i} = subgroupMatrixLoad<Left, row_major>(&q, (own${i} + partRows) / 4u, ${DP / 4}u);
      let highOut${i} = subgroupMatrixLoad<Left, row_major>(&gradOut, own${i} / 4u, ${DP / 4}u);
      let lowOut${i} = subgroupMatrixLoad<Left, row_major>(&gradOut, (own${i} + partRows) / 4u, ${DP / 4}u);
#for j in 0..SEEN / 2 / SHAPE_N
      s${i}_${j} = subgroupMatrixMultiplyAccumulate(lowQ${i}, highK${j}, s${i}_${j});
      s${i}_${j} = subgroupMatrixMultiplyAccumulate(highQ${i}, lowK${j}, s${i}_${j});
      s${i}_${j} = subgroupMatrixMultiplyAccumulate(highQ${i}, highK${j}, s${i}_${j});
      g${i}_${j} = subgroupMatrixMultiplyAccumulate(lowOut${i}, highV${j}, g${i}_${j});
      g${i}_${j} = subgroupMatrixMultiplyAccumulate(highOut${i}, lowV${j}, g${i}_${j});
      g${i}_${j} = subgroupMatrixMultiplyAccumulate(highOut${i}, highV${j}, g${i}_${j});
#endfor
#endfor
    }
#for i in 0..OWN / 2 / SHAPE_M
#for j in 0..SEEN / 2 / SHAPE_N
    let to${i}_${j} = toScores + ${i * SHAPE_M}u * ROW_S + ${j * SHAPE_N / 4}u;
    subgroupMatrixStore<row_major>(&scores, to${i}_${j}, s${i}_${j}, ROW_S);
    subgroupMatrixStore<row_major>(&gradients, to${i}_${j}, g${i}_${j}, ROW_S);
#endfor
#endfor
    workgroupBarrier();
    let stop = select(end, min(end, tile.x + row + 1u), causal & !inPrefix);
#for w in 0..SEEN / 4 / TEAM
    {
      let at = ${w * TEAM}u + team;
      let key = vec4u(first + 4u * at) + vec4u(0u, 1u, 2u, 3u);
      let p = exp2(scores[row * ROW_S + at] * scale * scaleK - stat.x);
      let ds = p * (gradients[row * ROW_S + at] - delta) * SHRINK;
      weights[row * ROW_P + at] = vec4h(select(vec4f(), ds, (key >= vec4u(begin)) & (key < vec4u(stop))));
    }
#endfor
    workgroupBarrier();
    for (var key = 0u; key < SEEN; key += ${SHAPE_K}u) {
#for i in 0..OWN / 2 / SHAPE_M
      let ds${i} = subgroupMatrixLoad<Left, row_major>(&weights, (ownRow + ${i * SHAPE_M}u) * ROW_P + key / 4u, ROW_P);
#endfor
#for n in 0..DC / 2 / SHAPE_N
      let at${n} = (fromColumns + ${n * SHAPE_N}u * params.padded + first + key) / 4u;
      let k${n} = subgroupMatrixLoad<Right, col_major>(&columnsK, at${n}, params.padded / 4u);
#for i in 0..OWN / 2 / SHAPE_M
      o${i}_${n} = subgroupMatrixMultiplyAccumulate(ds${i}, k${n}, o${i}_${n});
#endfor
#endfor
    }
  }

  let down = params.scale * scaleK / SHRINK * unscaled(largest[3]) * unscaled(largest[2]);
#for n in 0..DC / 2 / SHAPE_N
  workgroupBarrier();
#for i in 0..OWN / 2 / SHAPE_M
  subgroupMatrixStore<row_major>(&scores, toScores + ${i * SHAPE_M}u * ROW_S, o${i}_${n}, ROW_S);
#endfor
  workgroupBarrier();
  for (var e = lane; e < ${OWN / 2 * SHAPE_N / 4}u; e += SUBGROUP) {
    let own = ownRow + e / ${SHAPE_N / 4}u;
    let four = column / 4u + ${n * SHAPE_N / 4}u + e % ${SHAPE_N / 4}u;
    if ((tile.x + own < tile.y) & (four < D4)) {
      let result = scores[own * ROW_S + seenRow / 4u + e % ${SHAPE_N / 4}u];
      dq[((tile.x + own) * params.heads + head) * D4 + four] = result * down;
    }
  }
#endfor
}
