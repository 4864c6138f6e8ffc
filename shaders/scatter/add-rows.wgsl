// y[ids[t]] += alpha * x[t] over rows, without atomics: `order` lists the source rows sorted by id, and the invocation
// that meets the first row of a run of equal ids adds up the whole run, in ascending t. So each destination row has one
// writer and one fixed order of additions, and destination rows that no id names are not touched.
// The destination is a window of rows [firstRow, firstRow + rows); ids outside it, or negative, are skipped.
// VEC4 (dim a multiple of 4) handles four columns per invocation.
// Grid: x over columns, y and z (folded) over sorted positions.
#define VEC4 // four columns per invocation

struct Params { size: u32, columns: u32, firstRow: u32, rows: u32, alpha: f32 }
#params Params

var<storage, read> ids: array<i32>;
var<storage, read> order: array<u32>;
#if VEC4
var<storage, read> x: array<vec4f>;
var<storage, read_write> y: array<vec4f>;
#else
var<storage, read> x: array<f32>;
var<storage, read_write> y: array<f32>;
#endif

override WORKGROUP: u32 = 64;

@compute @workgroup_size(WORKGROUP)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let first = group.y + group.z * groups.y;
  let column = group.x * WORKGROUP + lane;
  if (first >= params.size || column >= params.columns) { return; }
  let token = ids[order[first]];
  let row = u32(token) - params.firstRow;
  if (row >= params.rows) { return; }
  if (first > 0u && ids[order[first - 1u]] == token) { return; }
  var sum = x[order[first] * params.columns + column];
  for (var at = first + 1u; at < params.size; at++) {
    let source = order[at];
    if (ids[source] != token) { break; }
    sum += x[source * params.columns + column];
  }
  y[row * params.columns + column] += params.alpha * sum;
}
