// Attention of a few new tokens per sequence over a KV cache, for hardware GPUs: partial results of runs of keys, which
// decode-combine.wgsl merges.
//
//   q [S * queries, H, D]; kCache, vCache [slots, Hkv, D] in the cache's format; D = 4 * D4.
//   sequences: one vec4u per sequence (attention/decode-part.wgsl).
//   parts [S * queries * H, splits, D] unnormalised; marks [S * queries * H, splits, 2] (highest score in base 2, sum).
//
// One workgroup of 128 takes a sequence, a key head, a run of keys and up to ROWS of the query rows that share the key
// head, so that each key and value is read once for all of them. 128 keys at a time: an invocation scores one key; then
// consecutive invocations take consecutive columns of the values, with 128 / D4 groups of keys side by side.
#define D4 1..64  // head dimension / 4
#define ROWS 1..8 // query rows per workgroup
#include "common/weight.wgsl"
#include "attention/decode-part.wgsl"

struct Params { heads: u32, kvHeads: u32, queries: u32, splits: u32, blocks: u32, scale: f32 }
#params Params

var<storage, read> q: array<vec4f>;
var<storage, read> kCache: array<Stored>;
var<storage, read> vCache: array<Stored>;
var<storage, read> sequences: array<vec4u>;
var<storage, read_write> parts: array<vec4f>;
var<storage, read_write> marks: array<vec2f>;

const D4 = ${D4}u;
const GROUPS = ${128 / D4}u;
const LOWEST = -3.0e38;
const LOG2E = 1.4426950408889634;

var<workgroup> queries: array<vec4f, ${ROWS * D4}>;
var<workgroup> weights: array<f32, ${ROWS * 128}>;
var<workgroup> partial: array<f32, ${ROWS * 16}>;
var<workgroup> sums: array<vec4f, 128>;

@compute @workgroup_size(128)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let sequence = sequences[group.z / params.blocks];
  let sharing = params.heads / params.kvHeads;
  let kvHead = group.y;
  let scale = params.scale * LOG2E;
  // Row r of this workgroup is query r / sharing, head r % sharing of those that share the key head.
  let firstRow = (group.z % params.blocks) * ${ROWS}u;
  let endRow = sharing * params.queries;
#for r in 0..ROWS
  let row${r} = min(firstRow + ${r}u, endRow - 1u);
  let visible${r} = visibleKeys(sequence, row${r} / sharing, params.queries);
  let token${r} = (group.z / params.blocks) * params.queries + row${r} / sharing;
  let at${r} = token${r} * params.heads + kvHead * sharing + row${r} % sharing;
  if (lane < D4) { queries[${r}u * D4 + lane] = q[at${r} * D4 + lane] * scale; }
  var top${r} = LOWEST;
  var sum${r} = 0.0;
  var result${r} = vec4f();
#endfor
  let column = lane % D4;
  let keyGroup = lane / D4;
  let range = keyRange(sequence, group.x, params.splits, params.queries);

  for (var first = range.x; first < range.y; first += 128u) {
    workgroupBarrier();
    let key = first + lane;
    let keyAt = (slotOf(sequence, min(key, range.y - 1u)) * params.kvHeads + kvHead) * D4;
#for r in 0..ROWS
    var s${r} = 0.0;
#endfor
    for (var c = 0u; c < D4; c++) {
      let k = decode(kCache[keyAt + c], keyAt + c);
#for r in 0..ROWS
      s${r} += dot(queries[${r}u * D4 + c], k);
#endfor
    }
#for r in 0..ROWS
    let sees${r} = (key >= firstVisible(visible${r})) & (key < min(range.y, visible${r}));
    s${r} = select(LOWEST, s${r}, sees${r});
    weights[${r * 128}u + lane] = s${r};
#endfor
    workgroupBarrier();
    for (var e = lane; e < ${ROWS * 16}u; e += 128u) {
      var high = LOWEST;
      for (var i = 0u; i < 8u; i++) { high = max(high, weights[(e >> 4u) * 128u + i * 16u + (e & 15u)]); }
      partial[e] = high;
    }
    workgroupBarrier();
#for r in 0..ROWS
    var next${r} = top${r};
    for (var i = 0u; i < 16u; i++) { next${r} = max(next${r}, partial[${r * 16}u + i]); }
    let shrink${r} = exp2(top${r} - next${r});
    let p${r} = select(0.0, exp2(s${r} - next${r}), sees${r});
    top${r} = next${r};
    sum${r} = sum${r} * shrink${r} + p${r};
    result${r} *= shrink${r};
    weights[${r * 128}u + lane] = p${r};
#endfor
    workgroupBarrier();
    if (keyGroup < GROUPS) {
      for (var i = keyGroup; i < min(128u, range.y - first); i += GROUPS) {
        let at = (slotOf(sequence, first + i) * params.kvHeads + kvHead) * D4 + column;
        let v = decode(vCache[at], at);
#for r in 0..ROWS
        result${r} += weights[${r * 128}u + i] * v;
#endfor
      }
    }
  }

#for r in 0..ROWS
  workgroupBarrier();
  sums[lane] = result${r};
  weights[lane] = sum${r};
  workgroupBarrier();
  if (firstRow + ${r}u < endRow) {
    let to = at${r} * params.splits + group.x;
    if (lane < D4) {
      var total = vec4f();
      for (var i = 0u; i < GROUPS; i++) { total += sums[i * D4 + lane]; }
      parts[to * D4 + lane] = total;
    }
    if (lane == 0u) {
      var total = 0.0;
      for (var i = 0u; i < 128u; i++) { total += weights[i]; }
      marks[to] = vec2f(top${r}, total);
    }
  }
#endfor
}
