// y[batch, n, m] = x[batch, m, n] for GPUs: a 32 x 32 tile goes through workgroup memory, so that lanes read and write
// consecutive words. The odd row length of the tile keeps its columns in different banks.
struct Params { rows: u32, columns: u32 }
#params Params

var<storage, read> x: array<u32>;
var<storage, read_write> y: array<u32>;

var<workgroup> tile: array<array<u32, 33>, 32>;

@compute @workgroup_size(32, 8)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_id) local: vec3u) {
  let base = group.z * params.rows * params.columns;
  let column = group.x * 32u + local.x;
  #for i in 0..4
  {
    let row = group.y * 32u + local.y + ${i * 8}u;
    if (row < params.rows && column < params.columns) {
      tile[local.y + ${i * 8}u][local.x] = x[base + row * params.columns + column];
    }
  }
  #endfor
  workgroupBarrier();
  let row = group.y * 32u + local.x;
  #for i in 0..4
  {
    let to = group.x * 32u + local.y + ${i * 8}u;
    if (row < params.rows && to < params.columns) {
      y[base + to * params.rows + row] = tile[local.x][local.y + ${i * 8}u];
    }
  }
  #endfor
}
