// y[batch, n, m] = x[batch, m, n] for software drivers, without barriers: an invocation reads 16 consecutive words of
// one row, so that every cache line is fetched once, and its lanes write consecutive words of 16 rows of y.
struct Params { rows: u32, columns: u32 }
#params Params

var<storage, read> x: array<u32>;
var<storage, read_write> y: array<u32>;

@compute @workgroup_size(16)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let base = group.z * params.rows * params.columns;
  let row = group.y * 16u + lane;
  let column = group.x * 16u;
  if (row >= params.rows) { return; }
  let source = base + row * params.columns + column;
  let to = base + column * params.rows + row;
  if (column + 16u <= params.columns) {
    #for i in 0..16
    let v${i} = x[source + ${i}u];
    #endfor
    #for i in 0..16
    y[to + ${i}u * params.rows] = v${i};
    #endfor
  } else {
    for (var i = 0u; column + i < params.columns; i++) { y[to + i * params.rows] = x[source + i]; }
  }
}
