// y[ids[t]] = rows[t] for t < count, in place: the other rows of y stay. With ZERO the named rows become zeros. Ids
// must differ from each other; ids that this window of y, [firstRow, firstRow + rowCount), does not hold are skipped.
// Grid: x over columns, y and z (folded) over t.
#define ZERO // write zeros, read nothing

struct Params { count: u32, columns: u32, firstRow: u32, rowCount: u32 }
#params Params

#include "layout/word.wgsl"

var<storage, read> ids: array<i32>;
var<storage, read_write> y: array<Word>;
#if !ZERO
var<storage, read> rows: array<Word>;
#endif

override WORKGROUP: u32 = 64;

@compute @workgroup_size(WORKGROUP)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let t = group.y + group.z * groups.y;
  let column = group.x * WORKGROUP + lane;
  if (t >= params.count || column >= params.columns) { return; }
  // A negative id becomes a huge u32 and is out of every window.
  let row = u32(ids[t]) - params.firstRow;
  if (row >= params.rowCount) { return; }
#if ZERO
  y[row * params.columns + column] = Word(0u);
#else
  y[row * params.columns + column] = rows[t * params.columns + column];
#endif
}
