// Attention backward for hardware GPUs: dq. Scores are recomputed tile by tile; nothing of size T x T exists.
//
//   q, gradOut, dq [T, H, D]; k, v [T, Hkv, D]; stats [T, H, 2] (attention/stats.wgsl); D = 4 * D4.
//   tiles: two vec4u per tile (src/kernels/attention/segments.ts, queryTiles with 8 * RT rows).
//
// One workgroup owns a tile of rows of one head and walks the keys they see, 64 at a time:
// p = exp(scale q.k - lse), ds = p (gradOut.v - delta), dq += scale ds k.
#include "attention/key-blocks.wgsl"
#include "attention/tile.wgsl"

struct Params { heads: u32, kvHeads: u32, causal: u32, scale: f32 }
#params Params

var<storage, read> q: array<vec4f>;
var<storage, read> k: array<vec4f>;
var<storage, read> v: array<vec4f>;
var<storage, read> gradOut: array<vec4f>;
var<storage, read> stats: array<vec2f>;
var<storage, read> tiles: array<vec4u>;
var<storage, read_write> dq: array<vec4f>;

const LOG2E = 1.4426950408889634;
const SCORES = 0u;
const VALUES = 1u;

var<private> rows: vec4u;
var<private> keys: vec2u;
var<private> head: u32;
var<private> kvHead: u32;

fn ownRow(which: u32, row: u32, column: u32) -> vec4f {
  let at = (min(rows.x + row, rows.y - 1u) * params.heads + head) * D4 + column;
  if (which == SCORES) { return q[at]; }
  return gradOut[at];
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
  var result: array<vec4f, ${RT * CN}>;
#for i in 0..RT
  let stat${i} = stats[min(rows.x + ty + ${i * 8}u, rows.y - 1u) * params.heads + head];
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
    var gradP = products(VALUES, lane);
#for i in 0..RT
    {
      let stop = select(keys.y, min(keys.y, rows.x + ty + ${i * 8 + 1}u), masked);
      let start = firstSeen(rows.x + ty + ${i * 8}u, gap);
      let key = vec4u(block.first + 4u * tx) + vec4u(0u, 1u, 2u, 3u);
      let sees = (key >= vec4u(start)) & (key < vec4u(stop));
      let ds = exp2(scores[${i}] * scale - stat${i}.x) * (gradP[${i}] - stat${i}.y);
      weights[(ty + ${i * 8}u) * 16u + tx] = select(vec4f(), ds, sees);
    }
#endfor
    accumulate(SCORES, lane, &result);
  }

#for i in 0..RT
  {
    let row = rows.x + ty + ${i * 8}u;
    if (row < rows.y) {
      let to = (row * params.heads + head) * D4;
#for n in 0..CN
      if (tx + ${n * 16}u < D4) { dq[to + tx + ${n * 16}u] = result[${i * CN + n}] * params.scale; }
#endfor
    }
  }
#endfor
}
