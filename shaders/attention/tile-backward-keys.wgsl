// Attention backward for hardware GPUs: dk and dv. Scores are recomputed tile by tile; nothing of size T x T exists.
//
//   q, gradOut [T, H, D]; k, v, dk, dv [T, Hkv, D]; stats [T, H, 2] (attention/stats.wgsl); D = 4 * D4.
//   table: key tiles and their visitors (src/kernels/attention/segments.ts, keyTiles with 8 * RT keys).
//
// One workgroup owns a tile of keys of one key head. For each query head of the group and each range of queries that see
// the tile, in this fixed order, it walks the queries, 64 at a time: p = exp(scale q.k - lse), dv += p gradOut,
// ds = p (gradOut.v - delta), dk += scale ds q. No atomics, always the same result.
#include "attention/tile.wgsl"

struct Params { heads: u32, kvHeads: u32, causal: u32, scale: f32, tiles: u32 }
#params Params

var<storage, read> q: array<vec4f>;
var<storage, read> k: array<vec4f>;
var<storage, read> v: array<vec4f>;
var<storage, read> gradOut: array<vec4f>;
var<storage, read> stats: array<vec2f>;
var<storage, read> table: array<vec4u>;
var<storage, read_write> dk: array<vec4f>;
var<storage, read_write> dv: array<vec4f>;

const LOG2E = 1.4426950408889634;
const SCORES = 0u;
const VALUES = 1u;

var<private> keys: vec2u;
var<private> rows: vec2u;
var<private> head: u32;
var<private> kvHead: u32;

fn ownRow(which: u32, row: u32, column: u32) -> vec4f {
  let at = (min(keys.x + row, keys.y - 1u) * params.kvHeads + kvHead) * D4 + column;
  if (which == SCORES) { return k[at]; }
  return v[at];
}

fn seenRow(which: u32, row: u32, column: u32) -> vec4f {
  let at = (min(rows.x + row, rows.y - 1u) * params.heads + head) * D4 + column;
  if (which == SCORES) { return q[at]; }
  return gradOut[at];
}

@compute @workgroup_size(128)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let tx = lane & 15u;
  let ty = lane >> 4u;
  let tile = table[group.x];
  keys = tile.xy;
  kvHead = group.y;
  let sharing = params.heads / params.kvHeads;
  let scale = params.scale * LOG2E;
  var resultK: array<vec4f, ${RT * CN}>;
  var resultV: array<vec4f, ${RT * CN}>;

  for (var g = 0u; g < sharing; g++) {
    head = kvHead * sharing + g;
    for (var n = 0u; n < tile.w; n++) {
      let visitor = table[params.tiles + 2u * (tile.z + n)];
      let causal = n == 0u && params.causal != 0u;
      for (var first = select(visitor.x, max(visitor.x, tile.x), causal); first < visitor.y; first += SEEN) {
        rows = vec2u(first, visitor.y);
        var scores = products(SCORES, lane);
        var gradP = products(VALUES, lane);
        let row = vec4u(first + 4u * tx) + vec4u(0u, 1u, 2u, 3u);
        let at = min(row, vec4u(visitor.y - 1u)) * params.heads + head;
        let stat0 = stats[at.x];
        let stat1 = stats[at.y];
        let stat2 = stats[at.z];
        let stat3 = stats[at.w];
        let lse = vec4f(stat0.x, stat1.x, stat2.x, stat3.x);
        let delta = vec4f(stat0.y, stat1.y, stat2.y, stat3.y);
#for i in 0..RT
        let key${i} = tile.x + ty + ${i * 8}u;
        let inside${i} = (key${i} >= visitor.z) & (key${i} < visitor.w);
        let last${i} = select(0u, visitor.y, inside${i});
        let sees${i} = (row < vec4u(last${i})) & (row >= vec4u(select(0u, key${i}, causal)));
        let p${i} = select(vec4f(), exp2(scores[${i}] * scale - lse), sees${i});
        weights[(ty + ${i * 8}u) * 16u + tx] = p${i};
#endfor
        accumulate(VALUES, lane, &resultV);
        workgroupBarrier();
#for i in 0..RT
        weights[(ty + ${i * 8}u) * 16u + tx] = select(vec4f(), p${i} * (gradP[${i}] - delta), sees${i});
#endfor
        accumulate(SCORES, lane, &resultK);
      }
    }
  }

#for i in 0..RT
  {
    let key = tile.x + ty + ${i * 8}u;
    if (key < tile.y) {
      let to = (key * params.kvHeads + kvHead) * D4;
#for n in 0..CN
      if (tx + ${n * 16}u < D4) {
        dk[to + tx + ${n * 16}u] = resultK[${i * CN + n}] * params.scale;
        dv[to + tx + ${n * 16}u] = resultV[${i * CN + n}];
      }
#endfor
    }
  }
#endfor
}
