// y[t] = table[ids[t]] for t < tokens: rows of a [vocab, dim] table, widened to f32.
// The table may come in windows of rows (it can exceed what one binding covers): each launch sees rows
// [firstRow, firstRow + rows). The launch of the first window (FIRST) also writes zeros for every id that it does not
// hold, so ids that no window holds, negative ones among them, give a row of zeros.
// An invocation moves WIDTH columns: four where dim is a multiple of 4, else one.
// Grid: x over columns, y and z (folded) over tokens, so that the id is the same for a whole workgroup.
#define FIRST // the first window: write zeros for ids that it does not hold
#include "common/weight.wgsl"

struct Params { tokens: u32, columns: u32, firstRow: u32, rows: u32 }
#params Params

var<storage, read> ids: array<i32>;
var<storage, read> table: array<Stored>;
var<storage, read_write> y: array<Loaded>;

override WORKGROUP: u32 = 64;

@compute @workgroup_size(WORKGROUP)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  // columns counts what one invocation moves: dim / 4 or dim.
  let t = group.y + group.z * groups.y;
  let column = group.x * WORKGROUP + lane;
  if (t >= params.tokens || column >= params.columns) { return; }
  // A negative id becomes a huge u32 and is out of every window.
  let row = u32(ids[t]) - params.firstRow;
  let at = t * params.columns + column;
  if (row < params.rows) {
    let unit = row * params.columns + column;
    y[at] = decode(table[storedAt(unit)], unit);
  }
#if FIRST
  else {
    y[at] = Loaded();
  }
#endif
}
