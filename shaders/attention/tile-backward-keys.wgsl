// Attention backward for hardware GPUs: dk and dv. Scores are recomputed tile by tile; nothing of size T x T exists.
//
//   q, gradOut [T, H, D]; k, v, dk, dv [T, Hkv, D]; stats [T, H, 2] (attention/stats.wgsl); D = 4 * D4.
//   table: parts of key tiles and their visitors (src/kernels/attention/segments.ts, keyParts with 8 * RT keys).
//   sums [slot, key head of this launch, key of the tile, dk and dv, D]: what parts of a tile that was cut have found, for
//   attention/key-sums.wgsl to add up. The launch covers key heads from firstKvHead.
//
// One workgroup owns a part of a tile of keys of one key head. For each query head of the group and each range of queries
// that see the tile, in this fixed order, it walks the queries, 64 at a time: p = exp(scale q.k - lse), dv += p gradOut,
// ds = p (gradOut.v - delta), dk += scale ds q. No atomics, always the same result. Between its two products p waits in
// workgroup memory, as both results leave no registers for it.
#include "attention/tile.wgsl"
#include "attention/window.wgsl"

struct Params { heads: u32, kvHeads: u32, causal: u32, scale: f32, tiles: u32, firstKvHead: u32 }
#params Params

var<storage, read> q: array<vec4f>;
var<storage, read> k: array<vec4f>;
var<storage, read> v: array<vec4f>;
var<storage, read> gradOut: array<vec4f>;
var<storage, read> stats: array<vec2f>;
var<storage, read> table: array<vec4u>;
var<storage, read_write> dk: array<vec4f>;
var<storage, read_write> dv: array<vec4f>;
var<storage, read_write> sums: array<vec4f>;

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
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let tx = lane & 15u;
  let ty = lane >> 4u;
  let tile = table[2u * group.x];
  keys = tile.xy;
  kvHead = params.firstKvHead + group.y;
  let sharing = params.heads / params.kvHeads;
  let scale = params.scale * LOG2E;
  var resultK: array<vec4f, ${RT * CN}>;
  var resultV: array<vec4f, ${RT * CN}>;

  for (var g = 0u; g < sharing; g++) {
    head = kvHead * sharing + g;
    for (var n = 0u; n < tile.w; n++) {
      let visitor = table[2u * (params.tiles + tile.z + n)];
      let more = table[2u * (params.tiles + tile.z + n) + 1u];
      let causal = more.y * params.causal != 0u;
      for (var first = visitor.x; first < visitor.y; first += SEEN) {
        rows = vec2u(first, visitor.y);
        let row = vec4u(first + 4u * tx) + vec4u(0u, 1u, 2u, 3u);
        let at = min(row, vec4u(visitor.y - 1u)) * params.heads + head;
        {
          var scores = products(SCORES, lane);
          let lse = vec4f(stats[at.x].x, stats[at.y].x, stats[at.z].x, stats[at.w].x);
#for i in 0..RT
          let key${i} = tile.x + ty + ${i * 8}u;
          let inside${i} = (key${i} >= visitor.z) & (key${i} < visitor.w);
          let last${i} = select(0u, min(visitor.y, endOfSight(key${i}, more.z)), inside${i});
          let sees${i} = (row < vec4u(last${i})) & (row >= vec4u(select(0u, key${i}, causal)));
          weights[(ty + ${i * 8}u) * 16u + tx] = select(vec4f(), exp2(scores[${i}] * scale - lse), sees${i});
#endfor
        }
        accumulate(VALUES, lane, &resultV);
        {
          var gradP = products(VALUES, lane);
          let delta = vec4f(stats[at.x].y, stats[at.y].y, stats[at.z].y, stats[at.w].y);
#for i in 0..RT
          {
            // What is hidden has a p of 0, and may have any gradient.
            let p = weights[(ty + ${i * 8}u) * 16u + tx];
            weights[(ty + ${i * 8}u) * 16u + tx] = select(p * (gradP[${i}] - delta), vec4f(), p == vec4f());
          }
#endfor
        }
        accumulate(SCORES, lane, &resultK);
      }
    }
  }

  let slot = table[2u * group.x + 1u].x;
#for i in 0..RT
  {
    let key = tile.x + ty + ${i * 8}u;
    let toSums = (((slot - 1u) * groups.y + group.y) * OWN + ty + ${i * 8}u) * 2u * D4;
    let to = (key * params.kvHeads + kvHead) * D4;
#for n in 0..CN
    if ((key < tile.y) & (tx + ${n * 16}u < D4)) {
      let column = tx + ${n * 16}u;
      if (slot > 0u) {
        sums[toSums + column] = resultK[${i * CN + n}] * params.scale;
        sums[toSums + D4 + column] = resultV[${i * CN + n}];
      } else {
        dk[to + column] = resultK[${i * CN + n}] * params.scale;
        dv[to + column] = resultV[${i * CN + n}];
      }
    }
#endfor
  }
#endfor
}
