// Attention forward for hardware GPUs: out = softmax(scale * q k^T) v over what each row's segment lets it see, and the
// log-sum-exp of each row's scores (natural logarithm) for the backward pass. wide-forward.wgsl has the same bindings.
//
//   q, out [T, H, D]; k, v [T, Hkv, D]; lse [T, H]; D = 4 * D4. Query head h reads key head h / (H / Hkv).
//   tiles: two vec4u per tile (src/kernels/attention/segments.ts, queryTiles with 8 * RT rows).
//
// One workgroup owns a tile of rows of one head and walks the keys they see, 64 at a time, with an online softmax.
#include "attention/key-blocks.wgsl"
#include "attention/tile.wgsl"

struct Params { heads: u32, kvHeads: u32, causal: u32, scale: f32 }
#params Params

var<storage, read> q: array<vec4f>;
var<storage, read> k: array<vec4f>;
var<storage, read> v: array<vec4f>;
var<storage, read> tiles: array<vec4u>;
var<storage, read_write> out: array<vec4f>;
var<storage, read_write> lse: array<f32>;

// Finite, so that rows that have seen nothing yet do not make NaN from infinity minus infinity.
const LOWEST = -3.0e38;
const LOG2E = 1.4426950408889634;
const LN2 = 0.6931471805599453;
const SCORES = 0u;
const VALUES = 1u;

var<workgroup> partial: array<vec4f, ${8 * RT * 4}>;
var<private> rows: vec4u;
var<private> keys: vec2u;
var<private> head: u32;
var<private> kvHead: u32;

fn ownRow(which: u32, row: u32, column: u32) -> vec4f {
  return q[(min(rows.x + row, rows.y - 1u) * params.heads + head) * D4 + column];
}

fn seenRow(which: u32, row: u32, column: u32) -> vec4f {
  let at = (min(keys.x + row, keys.y - 1u) * params.kvHeads + kvHead) * D4 + column;
  if (which == SCORES) { return k[at]; }
  return v[at];
}

@compute @workgroup_size(128)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let tx = lane & 15u;
  let ty = lane >> 4u;
  // Loop bounds come from local values: private variables do not count as uniform.
  let tile = tiles[2u * group.x];
  rows = tile;
  head = group.y;
  kvHead = head / (params.heads / params.kvHeads);
  let scale = params.scale * LOG2E;
  var top: array<f32, ${RT}>;
  var sum: array<f32, ${RT}>;
  var result: array<vec4f, ${RT * CN}>;
#for i in 0..RT
  top[${i}] = LOWEST;
#endfor

  let more = tiles[2u * group.x + 1u];
  let causal = (params.causal != 0u) & (more.z == 0u);
  let blocks = keyBlocks(tile, more, causal, SEEN);
  for (var b = 0u; b < blocks.count; b++) {
    let block = keyBlock(blocks, b, SEEN);
    keys = vec2u(block.first, block.end);
    let masked = !block.inPrefix & causal;
    let gap = select(0u, more.w, block.inPrefix);
    var scores = products(SCORES, lane);
#for i in 0..RT
    let stop${i} = select(keys.y, min(keys.y, rows.x + ty + ${i * 8 + 1}u), masked);
    let start${i} = firstSeen(rows.x + ty + ${i * 8}u, gap);
    let key${i} = vec4u(block.first + 4u * tx) + vec4u(0u, 1u, 2u, 3u);
    let sees${i} = (key${i} >= vec4u(start${i})) & (key${i} < vec4u(stop${i}));
    let s${i} = select(vec4f(LOWEST), scores[${i}] * scale, sees${i});
    partial[(ty + ${i * 8}u) * 4u + (tx >> 2u)][tx & 3u] = max(max(s${i}.x, s${i}.y), max(s${i}.z, s${i}.w));
#endfor
    workgroupBarrier();
#for i in 0..RT
    {
      let at = (ty + ${i * 8}u) * 4u;
      let high = max(max(partial[at], partial[at + 1u]), max(partial[at + 2u], partial[at + 3u]));
      let next = max(top[${i}], max(max(high.x, high.y), max(high.z, high.w)));
      let shrink = exp2(top[${i}] - next);
      let p = select(vec4f(), exp2(s${i} - next), sees${i});
      top[${i}] = next;
      sum[${i}] = sum[${i}] * shrink + dot(p, vec4f(1.0));
      weights[(ty + ${i * 8}u) * 16u + tx] = p;
#for n in 0..CN
      result[${i * CN + n}] *= shrink;
#endfor
    }
#endfor
    accumulate(VALUES, lane, &result);
  }

  // Each of the 16 invocations of a row summed its own keys.
  workgroupBarrier();
#for i in 0..RT
  partial[(ty + ${i * 8}u) * 4u + (tx >> 2u)][tx & 3u] = sum[${i}];
#endfor
  workgroupBarrier();
#for i in 0..RT
  {
    let row = rows.x + ty + ${i * 8}u;
    let at = (ty + ${i * 8}u) * 4u;
    let total = dot(partial[at] + partial[at + 1u] + partial[at + 2u] + partial[at + 3u], vec4f(1.0));
    let inverse = select(0.0, 1.0 / total, blocks.count > 0u);
    if (row < rows.y) {
      let to = (row * params.heads + head) * D4;
#for n in 0..CN
      if (tx + ${n * 16}u < D4) { out[to + tx + ${n * 16}u] = result[${i * CN + n}] * inverse; }
#endfor
      if (tx == 0u) {
        lse[row * params.heads + head] = select(LOWEST, top[${i}] * LN2 + log(total), blocks.count > 0u);
      }
    }
  }
#endfor
}
