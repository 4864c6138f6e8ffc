// Attention forward for software adapters: out = softmax(scale * q k^T) v over what each row's segment lets it see, and
// the log-sum-exp of each row's scores (natural logarithm) for the backward pass.
//
//   q, out [T, H, D]; k, v [T, Hkv, D]; lse [T, H]; D = 4 * D4. Query head h reads key head h / (H / Hkv).
//   tiles: two vec4u per tile (src/kernels/attention/segments.ts, queryTiles with 16 * ROWS rows).
//
// One workgroup is one vector of 16 lanes: a lane owns ROWS query rows and keeps their queries and outputs in registers
// (or on its stack: multiplication from there is free). Keys and values are then read at addresses that are equal for all
// lanes, which such drivers turn into scalar loads, each serving 16 * ROWS rows. No workgroup memory, no barriers.
// Loops are long-bodied on purpose: every variable carried around a loop costs two instructions per turn there.
#define D4 1..32   // head dimension / 4
#define ROWS 1 | 2 // query rows per lane
#define KEYS 1..4  // keys per turn of the loop
#include "attention/window.wgsl"

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

@compute @workgroup_size(16)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let rows = tiles[2u * group.x];
  let more = tiles[2u * group.x + 1u];
  let causal = (params.causal != 0u) & (more.z == 0u);
  let head = group.y;
  let kvHead = head / (params.heads / params.kvHeads);
  let scale = params.scale * LOG2E;
  let stride = params.kvHeads * ${D4}u;
  let column = kvHead * ${D4}u;
#for r in 0..ROWS
  let row${r} = rows.x + ${r * 16}u + lane;
  let at${r} = (min(row${r}, rows.y - 1u) * params.heads + head) * ${D4}u;
  let end${r} = select(rows.w, min(row${r} + 1u, rows.w), causal);
  var top${r} = LOWEST;
  var sum${r} = 0.0;
#for c in 0..D4
  let q${r}_${c} = q[at${r} + ${c}u] * scale;
  var o${r}_${c} = vec4f();
#endfor
#endfor

  let prefix = vec2u(firstWithin(more.x, more.y, rows.x, more.w), more.y);
  let ownEnd = select(rows.w, min(rows.w, rows.y), causal);
  let ownFirst = firstWithin(rows.z, ownEnd, rows.x, 0u);
  let prefixBlocks = (prefix.y - prefix.x + ${KEYS - 1}u) / ${KEYS}u;
  let blocks = prefixBlocks + (ownEnd - ownFirst + ${KEYS - 1}u) / ${KEYS}u;
  for (var block = 0u; block < blocks; block++) {
    let inPrefix = block < prefixBlocks;
    let first = select(ownFirst + (block - prefixBlocks) * ${KEYS}u, prefix.x + block * ${KEYS}u, inPrefix);
    let last = select(ownEnd, prefix.y, inPrefix) - 1u;
#for r in 0..ROWS
    let stop${r} = select(end${r}, prefix.y, inPrefix);
    let start${r} = firstSeen(row${r}, select(0u, more.w, inPrefix));
#endfor
#for i in 0..KEYS
    let j${i} = min(first + ${i}u, last) * stride + column;
#endfor
#for i in 0..KEYS
#for r in 0..ROWS
    var s${r}_${i} = 0.0;
#endfor
#endfor
#for c in 0..D4
#for i in 0..KEYS
    {
      let key = k[j${i} + ${c}u];
#for r in 0..ROWS
      s${r}_${i} += dot(q${r}_${c}, key);
#endfor
    }
#endfor
#endfor
#for r in 0..ROWS
    var high${r} = top${r};
#for i in 0..KEYS
    let sees${r}_${i} = (first + ${i}u >= start${r}) & (first + ${i}u < stop${r});
    s${r}_${i} = select(LOWEST, s${r}_${i}, sees${r}_${i});
    high${r} = max(high${r}, s${r}_${i});
#endfor
    let shrink${r} = exp2(top${r} - high${r});
    top${r} = high${r};
    sum${r} *= shrink${r};
#for i in 0..KEYS
    let p${r}_${i} = select(0.0, exp2(s${r}_${i} - high${r}), sees${r}_${i});
    sum${r} += p${r}_${i};
#endfor
#endfor
#for c in 0..D4
    {
#for r in 0..ROWS
      var next${r} = o${r}_${c} * shrink${r};
#endfor
#for i in 0..KEYS
      let value${i} = v[j${i} + ${c}u];
#for r in 0..ROWS
      next${r} += p${r}_${i} * value${i};
#endfor
#endfor
#for r in 0..ROWS
      o${r}_${c} = next${r};
#endfor
    }
#endfor
  }

#for r in 0..ROWS
  if (row${r} < rows.y) {
    let inverse = select(0.0, 1.0 / sum${r}, blocks > 0u);
#for c in 0..D4
    out[at${r} + ${c}u] = o${r}_${c} * inverse;
#endfor
    lse[row${r} * params.heads + head] = select(LOWEST, top${r} * LN2 + log(sum${r}), blocks > 0u);
  }
#endfor
}
