// Attention backward for software adapters, first half: dk, dv, and the score gradients ds that wide-backward-queries
// turns into dq. Splitting the work so needs five products instead of the seven that recomputing would.
//
//   q, gradOut [T, H, D]; k, v, dk, dv [T, Hkv, D]; stats [T, H, 2] (attention/stats.wgsl); D = 4 * D4.
//   table: key tiles and their visitors (src/kernels/attention/segments.ts, keyTiles with 16 * ROWS keys).
//   ds [heads of this launch, rows of this launch, width]: the column of a key is its place in the row's prefix, or
//   behind it its place in the row's segment; with a window these come round again after 'width' of them. The launch covers heads from firstHead and rows [firstRow, endRow), as many
//   as the scratch holds; unless firstRow is 0, dk and dv continue from what earlier launches left in them.
//
// As in wide-forward, one workgroup is one vector of 16 lanes: a lane owns ROWS keys and keeps their k, v, dk, dv; the
// rows of q and gradOut are read at addresses equal for all lanes. Sums run over rows in order, for each query head of
// the group in turn: no atomics, always the same result.
#define D4 1..32      // head dimension / 4
#define ROWS 1 | 2    // keys per lane
#define QUERIES 1 | 2 // query rows per turn of the loop
#include "attention/window.wgsl"

struct Params {
  heads: u32, kvHeads: u32, causal: u32, scale: f32, tiles: u32,
  firstKvHead: u32, firstRow: u32, endRow: u32, width: u32,
}
#params Params

var<storage, read> q: array<vec4f>;
var<storage, read> k: array<vec4f>;
var<storage, read> v: array<vec4f>;
var<storage, read> gradOut: array<vec4f>;
var<storage, read> stats: array<vec2f>;
var<storage, read> table: array<vec4u>;
var<storage, read_write> dk: array<vec4f>;
var<storage, read_write> dv: array<vec4f>;
var<storage, read_write> ds: array<f32>;

const LOG2E = 1.4426950408889634;

fn columnOf(place: u32) -> u32 {
#if WINDOWED
  return place % params.width;
#else
  return place;
#endif
}

@compute @workgroup_size(16)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let tile = table[group.x];
  let kvHead = params.firstKvHead + group.y;
  let sharing = params.heads / params.kvHeads;
#for r in 0..ROWS
  let key${r} = tile.x + ${r * 16}u + lane;
  let at${r} = (min(key${r}, tile.y - 1u) * params.kvHeads + kvHead) * ${D4}u;
#for c in 0..D4
  let k${r}_${c} = k[at${r} + ${c}u] * (params.scale * LOG2E);
  let v${r}_${c} = v[at${r} + ${c}u];
  var dk${r}_${c} = vec4f();
  var dv${r}_${c} = vec4f();
#endfor
#endfor

  for (var g = 0u; g < sharing; g++) {
    let head = kvHead * sharing + g;
    let block = (group.y * sharing + g) * (params.endRow - params.firstRow);
    for (var n = 0u; n < tile.w; n++) {
      let sees = table[params.tiles + 2u * (tile.z + n)];
      let more = table[params.tiles + 2u * (tile.z + n) + 1u];
      let shift = more.x;
      let causal = more.y * params.causal != 0u;
      let first = max(max(sees.x, params.firstRow), select(0u, tile.x, causal));
      let end = min(min(sees.y, params.endRow), endOfSight(tile.y - 1u, more.z));
#for r in 0..ROWS
      let column${r} = columnOf(key${r} + shift);
      let last${r} = min(end, endOfSight(key${r}, more.z));
#endfor
      for (var row = first; row < end; row += ${QUERIES}u) {
#for i in 0..QUERIES
        let row${i} = min(row + ${i}u, end - 1u);
        let from${i} = (row${i} * params.heads + head) * ${D4}u;
        let stat${i} = stats[row${i} * params.heads + head];
#for r in 0..ROWS
        var s${r}_${i} = -stat${i}.x;
        var dp${r}_${i} = -stat${i}.y;
#endfor
#endfor
#for c in 0..D4
#for i in 0..QUERIES
        let q${i}_${c} = q[from${i} + ${c}u];
        let g${i}_${c} = gradOut[from${i} + ${c}u];
#for r in 0..ROWS
        s${r}_${i} += dot(k${r}_${c}, q${i}_${c});
        dp${r}_${i} += dot(v${r}_${c}, g${i}_${c});
#endfor
#endfor
#endfor
#for i in 0..QUERIES
#for r in 0..ROWS
        let sees${r}_${i} = (row + ${i}u < last${r}) & (key${r} >= sees.z) & (key${r} < sees.w) & !(causal & (key${r} > row${i}));
        let p${r}_${i} = select(0.0, exp2(s${r}_${i}), sees${r}_${i});
        let ds${r}_${i} = select(0.0, p${r}_${i} * dp${r}_${i}, sees${r}_${i});
        if (sees${r}_${i}) { ds[(block + row${i} - params.firstRow) * params.width + column${r}] = ds${r}_${i}; }
#endfor
#endfor
#for c in 0..D4
#for r in 0..ROWS
        {
          var sum = dv${r}_${c};
          var grad = dk${r}_${c};
#for i in 0..QUERIES
          sum += p${r}_${i} * g${i}_${c};
          grad += ds${r}_${i} * q${i}_${c};
#endfor
          dv${r}_${c} = sum;
          dk${r}_${c} = grad;
        }
#endfor
#endfor
      }
    }
  }

#for r in 0..ROWS
  if (key${r} < tile.y) {
    if (params.firstRow == 0u) {
#for c in 0..D4
      dk[at${r} + ${c}u] = dk${r}_${c} * params.scale;
      dv[at${r} + ${c}u] = dv${r}_${c};
#endfor
    } else {
#for c in 0..D4
      dk[at${r} + ${c}u] += dk${r}_${c} * params.scale;
      dv[at${r} + ${c}u] += dv${r}_${c};
#endfor
    }
  }
#endfor
}
