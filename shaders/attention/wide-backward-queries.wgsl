// Attention backward for software adapters, second half: dq = scale * ds k, with the score gradients ds that
// wide-backward-keys left for the same heads and rows (its comment describes them).
//
//   k [T, Hkv, D]; dq [T, H, D]; D = 4 * D4; tiles as in wide-forward, 16 * ROWS rows each.
//
// A lane owns ROWS query rows; keys are read at addresses equal for all lanes.
#define D4 1..32   // head dimension / 4
#define ROWS 1 | 2 // query rows per lane
#define KEYS 1..4  // keys per turn of the loop
#include "attention/window.wgsl"

struct Params {
  heads: u32, kvHeads: u32, causal: u32, scale: f32, firstHead: u32, firstRow: u32, endRow: u32, width: u32,
}
#params Params

var<storage, read> k: array<vec4f>;
var<storage, read> ds: array<f32>;
var<storage, read> tiles: array<vec4u>;
var<storage, read_write> dq: array<vec4f>;

fn columnOf(place: u32) -> u32 {
#if WINDOWED
  return place % params.width;
#else
  return place;
#endif
}

@compute @workgroup_size(16)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let tile = tiles[2u * group.x];
  let more = tiles[2u * group.x + 1u];
  let causal = (params.causal != 0u) & (more.z == 0u);
  let rows = vec2u(max(tile.x, params.firstRow), min(tile.y, params.endRow));
  if (rows.x >= rows.y) { return; }
  let head = params.firstHead + group.y;
  let stride = params.kvHeads * ${D4}u;
  let column = head / (params.heads / params.kvHeads) * ${D4}u;
#for r in 0..ROWS
  let row${r} = rows.x + ${r * 16}u + lane;
  let safe${r} = min(row${r}, rows.y - 1u);
  let from${r} = (group.y * (params.endRow - params.firstRow) + safe${r} - params.firstRow) * params.width;
  let end${r} = select(tile.w, min(row${r} + 1u, tile.w), causal);
#for c in 0..D4
  var d${r}_${c} = vec4f();
#endfor
#endfor

  let prefix = vec2u(firstWithin(more.x, more.y, rows.x, more.w), more.y);
  let ownEnd = select(tile.w, min(tile.w, rows.y), causal);
  let ownFirst = firstWithin(tile.z, ownEnd, rows.x, 0u);
  let prefixBlocks = (prefix.y - prefix.x + ${KEYS - 1}u) / ${KEYS}u;
  let blocks = prefixBlocks + (ownEnd - ownFirst + ${KEYS - 1}u) / ${KEYS}u;
  for (var block = 0u; block < blocks; block++) {
    let inPrefix = block < prefixBlocks;
    let first = select(ownFirst + (block - prefixBlocks) * ${KEYS}u, prefix.x + block * ${KEYS}u, inPrefix);
    let last = select(ownEnd, prefix.y, inPrefix) - 1u;
    // Where a key is among all keys of these rows, those that they do not see any more among them.
    let shift = select(more.y - more.x - tile.z, 0u - more.x, inPrefix);
#for r in 0..ROWS
    let start${r} = firstSeen(row${r}, select(0u, more.w, inPrefix));
#endfor
#for i in 0..KEYS
    let key${i} = min(first + ${i}u, last);
    let j${i} = key${i} * stride + column;
#for r in 0..ROWS
    let stop${r}_${i} = select(end${r}, prefix.y, inPrefix);
    let sees${r}_${i} = (first + ${i}u >= start${r}) & (first + ${i}u < stop${r}_${i});
    let ds${r}_${i} = select(0.0, ds[from${r} + columnOf(key${i} + shift)], sees${r}_${i});
#endfor
#endfor
#for c in 0..D4
    {
#for r in 0..ROWS
      var sum${r} = d${r}_${c};
#endfor
#for i in 0..KEYS
      let k${i} = k[j${i} + ${c}u];
#for r in 0..ROWS
      sum${r} += ds${r}_${i} * k${i};
#endfor
#endfor
#for r in 0..ROWS
      d${r}_${c} = sum${r};
#endfor
    }
#endfor
  }

#for r in 0..ROWS
  if (row${r} < rows.y) {
#for c in 0..D4
    dq[(safe${r} * params.heads + head) * ${D4}u + ${c}u] = d${r}_${c} * params.scale;
#endfor
  }
#endfor
}
