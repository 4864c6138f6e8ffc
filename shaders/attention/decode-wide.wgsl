// Attention of a few new tokens per sequence over a KV cache, for software adapters: partial results, which
// decode-combine.wgsl merges. Bindings and shapes as in decode-tile.wgsl, with 16 * splits parts for each row.
//
// A workgroup is one vector of 16 lanes. A lane takes every sixteenth key of the run for ROWS query rows and makes a part
// of its own: nothing crosses lanes, there is no workgroup memory and no barrier. Loads of keys and values differ between
// lanes, which is what costs here, so each serves all ROWS rows; queries are the same for all lanes.
#define D4 1..32  // head dimension / 4
#define ROWS 1..4 // query rows per lane
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

const LOWEST = -3.0e38;
const LOG2E = 1.4426950408889634;

@compute @workgroup_size(16)
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
  var top${r} = LOWEST;
  var sum${r} = 0.0;
#for c in 0..D4
  let q${r}_${c} = q[at${r} * ${D4}u + ${c}u] * scale;
  var o${r}_${c} = vec4f();
#endfor
#endfor
  let range = keyRange(sequence, group.x, params.splits, params.queries);

  for (var first = range.x; first < range.y; first += 16u) {
    let key = first + lane;
    let keyAt = (slotOf(sequence, min(key, range.y - 1u)) * params.kvHeads + kvHead) * ${D4}u;
#for r in 0..ROWS
    var s${r} = 0.0;
#endfor
#for c in 0..D4
    {
      let k = decode(kCache[keyAt + ${c}u], keyAt + ${c}u);
#for r in 0..ROWS
      s${r} += dot(q${r}_${c}, k);
#endfor
    }
#endfor
#for r in 0..ROWS
    let sees${r} = (key >= firstVisible(visible${r})) & (key < min(range.y, visible${r}));
    let next${r} = max(top${r}, select(LOWEST, s${r}, sees${r}));
    let shrink${r} = exp2(top${r} - next${r});
    let p${r} = select(0.0, exp2(s${r} - next${r}), sees${r});
    top${r} = next${r};
    sum${r} = sum${r} * shrink${r} + p${r};
#endfor
#for c in 0..D4
    {
      let v = decode(vCache[keyAt + ${c}u], keyAt + ${c}u);
#for r in 0..ROWS
      o${r}_${c} = o${r}_${c} * shrink${r} + p${r} * v;
#endfor
    }
#endfor
  }

#for r in 0..ROWS
  if (firstRow + ${r}u < endRow) {
    let to = (at${r} * params.splits + group.x) * 16u + lane;
#for c in 0..D4
    parts[to * ${D4}u + ${c}u] = o${r}_${c};
#endfor
    marks[to] = vec2f(top${r}, sum${r});
  }
#endfor
}
