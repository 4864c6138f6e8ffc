// Attention backward on matrix units: dk and dv. Scores are recomputed block by block; nothing of size T x T exists.
//
//   Packed operands: attention/matrix-backward.wgsl; columnsQ and columnsOut (of gradOut) [H, 1, DC, TP]. dk, dv [T, Hkv, D].
//   table, sums: as in tile-backward-keys.wgsl, with tiles of OWN keys. The launch covers key heads from firstKvHead.
//
// One workgroup owns a part of a tile of keys of one key head. For each query head of the group and each range of queries
// that see the tile, in this fixed order, it walks the queries: p = exp(scale q.k - lse), dv += p gradOut,
// ds = p (gradOut.v - delta), dk += scale ds q. No atomics, always the same result. Relative L2 errors below 5e-4.
#include "attention/matrix-backward.wgsl"

var<storage, read> columnsQ: array<vec4h>;
var<storage, read> columnsOut: array<vec4h>;
var<storage, read> table: array<vec4u>;
var<storage, read_write> dk: array<vec4f>;
var<storage, read_write> dv: array<vec4f>;
var<storage, read_write> sums: array<vec4f>;

// Weights are multiplied by 2^14: the largest then fit f16, and small ones are not below it.
const LIFT = 14.0;
const PART_P = OWN * ROW_P;

// Weights, and behind them the gradients of scores.
var<workgroup> weights: array<vec4h, 2u * PART_P>;

#if FIXED_SIZE
@compute @workgroup_size(THREADS) @subgroup_size(SUBGROUP)
#else
@compute @workgroup_size(THREADS)
#endif
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) thread: u32,
) {
  let tile = table[2u * group.x];
  let slot = table[2u * group.x + 1u].x;
  let kvHead = params.firstKvHead + group.y;
  let sharing = params.heads / params.kvHeads;
  let subgroup = thread / SUBGROUP;
  let lane = thread % SUBGROUP;
  let ownRow = subgroup / 2u * ${OWN / 2}u;
  let seenRow = subgroup % 2u * ${SEEN / 2}u;
  let column = subgroup % 2u * ${DC / 2}u;
  let partRows = params.padded * ${DP}u;
  let fromOwn = 2u * kvHead * partRows + (tile.x + ownRow) * ${DP}u;
  let toScores = ownRow * ROW_S + seenRow / 4u;
  let scaleQ = unscaled(largest[0]);
  let scale = params.scale * LOG2E * unscaled(largest[1]);
  let upOut = upscaled(largest[3]);
  let upV = upscaled(largest[2]);
  let team = thread % ${TEAM}u;
  let row = thread / ${TEAM}u;
  let key = tile.x + row;
#for i in 0..OWN / 2 / SHAPE_M
#for n in 0..DC / 2 / SHAPE_N
  var k${i}_${n} = Result(0.0);
  var v${i}_${n} = Result(0.0);
#endfor
#endfor

  for (var h = 0u; h < sharing; h++) {
    let head = kvHead * sharing + h;
    let fromSeen = 2u * head * partRows + seenRow * ${DP}u;
    let fromColumns = (head * ${DC}u + column) * params.padded;
    for (var n = 0u; n < tile.w; n++) {
      let visitor = table[2u * (params.tiles + tile.z + n)];
      let more = table[2u * (params.tiles + tile.z + n) + 1u];
      let causal = more.y * params.causal != 0u;
      let inside = (key >= visitor.z) & (key < visitor.w);
      let begin = select(visitor.x, max(visitor.x, key), causal);
      let end = select(0u, min(visitor.y, endOfSight(key, more.z)), inside);
      for (var first = visitor.x & ~7u; first < visitor.y; first += SEEN) {
#for i in 0..OWN / 2 / SHAPE_M
#for j in 0..SEEN / 2 / SHAPE_N
        var s${i}_${j} = Result(0.0);
        var g${i}_${j} = Result(0.0);
#endfor
#endfor
        for (var d = 0u; d < ${DP}u; d += ${SHAPE_K}u) {
#for j in 0..SEEN / 2 / SHAPE_N
          let seen${j} = fromSeen + (first + ${j * SHAPE_N}u) * ${DP}u + d;
          let highQ${j} = subgroupMatrixLoad<Right, col_major>(&q, seen${j} / 4u, ${DP / 4}u);
          let lowQ${j} = subgroupMatrixLoad<Right, col_major>(&q, (seen${j} + partRows) / 4u, ${DP / 4}u);
          let highOut${j} = subgroupMatrixLoad<Right, col_major>(&gradOut, seen${j} / 4u, ${DP / 4}u);
          let lowOut${j} = subgroupMatrixLoad<Right, col_major>(&gradOut, (seen${j} + partRows) / 4u, ${DP / 4}u);
#endfor
#for i in 0..OWN / 2 / SHAPE_M
          let own${i} = fromOwn + ${i * SHAPE_M * DP}u + d;
          let highK${i} = subgroupMatrixLoad<Left, row_major>(&k, own${i} / 4u, ${DP / 4}u);
          let lowK${i} = subgroupMatrixLoad<Left, row_major>(&k, (own${i} + partRows) / 4u, ${DP / 4}u);
          let highV${i} = subgroupMatrixLoad<Left, row_major>(&v, own${i} / 4u, ${DP / 4}u);
          let lowV${i} = subgroupMatrixLoad<Left, row_major>(&v, (own${i} + partRows) / 4u, ${DP / 4}u);
#for j in 0..SEEN / 2 / SHAPE_N
          s${i}_${j} = subgroupMatrixMultiplyAccumulate(lowK${i}, highQ${j}, s${i}_${j});
          s${i}_${j} = subgroupMatrixMultiplyAccumulate(highK${i}, lowQ${j}, s${i}_${j});
          s${i}_${j} = subgroupMatrixMultiplyAccumulate(highK${i}, highQ${j}, s${i}_${j});
          g${i}_${j} = subgroupMatrixMultiplyAccumulate(lowV${i}, highOut${j}, g${i}_${j});
          g${i}_${j} = subgroupMatrixMultiplyAccumulate(highV${i}, lowOut${j}, g${i}_${j});
          g${i}_${j} = subgroupMatrixMultiplyAccumulate(highV${i}, highOut${j}, g${i}_${j});
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
#for w in 0..SEEN / 4 / TEAM
        {
          let at = ${w * TEAM}u + team;
          let query = vec4u(first + 4u * at) + vec4u(0u, 1u, 2u, 3u);
          let from4 = min(query, vec4u(params.tokens - 1u)) * params.heads + head;
          let lse = vec4f(stats[from4.x].x, stats[from4.y].x, stats[from4.z].x, stats[from4.w].x);
          let delta = vec4f(stats[from4.x].y, stats[from4.y].y, stats[from4.z].y, stats[from4.w].y) * upOut * upV;
          let sees = (query >= vec4u(begin)) & (query < vec4u(end));
          let p = exp2(scores[row * ROW_S + at] * scale * scaleQ - lse);
          let ds = p * (gradients[row * ROW_S + at] - delta) * SHRINK;
          weights[row * ROW_P + at] = vec4h(select(vec4f(), p * exp2(LIFT), sees));
          weights[PART_P + row * ROW_P + at] = vec4h(select(vec4f(), ds, sees));
        }
#endfor
        workgroupBarrier();
        for (var depth = 0u; depth < SEEN; depth += ${SHAPE_K}u) {
#for i in 0..OWN / 2 / SHAPE_M
          let atP${i} = (ownRow + ${i * SHAPE_M}u) * ROW_P + depth / 4u;
          let p${i} = subgroupMatrixLoad<Left, row_major>(&weights, atP${i}, ROW_P);
          let ds${i} = subgroupMatrixLoad<Left, row_major>(&weights, PART_P + atP${i}, ROW_P);
#endfor
#for n in 0..DC / 2 / SHAPE_N
          let at${n} = (fromColumns + ${n * SHAPE_N}u * params.padded + first + depth) / 4u;
          let out${n} = subgroupMatrixLoad<Right, col_major>(&columnsOut, at${n}, params.padded / 4u);
          let query${n} = subgroupMatrixLoad<Right, col_major>(&columnsQ, at${n}, params.padded / 4u);
#for i in 0..OWN / 2 / SHAPE_M
          v${i}_${n} = subgroupMatrixMultiplyAccumulate(p${i}, out${n}, v${i}_${n});
          k${i}_${n} = subgroupMatrixMultiplyAccumulate(ds${i}, query${n}, k${i}_${n});
#endfor
#endfor
        }
      }
    }
  }

  let downV = exp2(-LIFT) * unscaled(largest[3]);
  let downK = params.scale * scaleQ / SHRINK * unscaled(largest[3]) * unscaled(largest[2]);
#for n in 0..DC / 2 / SHAPE_N
  workgroupBarrier();
#for i in 0..OWN / 2 / SHAPE_M
  subgroupMatrixStore<row_major>(&scores, toScores + ${i * SHAPE_M}u * ROW_S, k${i}_${n}, ROW_S);
  subgroupMatrixStore<row_major>(&gradients, toScores + ${i * SHAPE_M}u * ROW_S, v${i}_${n}, ROW_S);
#endfor
  workgroupBarrier();
  for (var e = lane; e < ${OWN / 2 * SHAPE_N / 4}u; e += SUBGROUP) {
    let own = ownRow + e / ${SHAPE_N / 4}u;
    let four = column / 4u + ${n * SHAPE_N / 4}u + e % ${SHAPE_N / 4}u;
    if ((tile.x + own < tile.y) & (four < D4)) {
      let place = own * ROW_S + seenRow / 4u + e % ${SHAPE_N / 4}u;
      let to = ((tile.x + own) * params.kvHeads + kvHead) * D4 + four;
      let toSums = (((slot - 1u) * groups.y + group.y) * OWN + own) * 2u * D4 + four;
      if (slot > 0u) {
        sums[toSums] = scores[place] * downK;
        sums[toSums + D4] = gradients[place] * downV;
      } else {
        dk[to] = scores[place] * downK;
        dv[to] = gradients[place] * downV;
      }
    }
  }
#endfor
}
