// Peak of the matrix units: each subgroup multiplies register-resident f16 matrices into 8 f32 accumulators.
// M, N, K are one of the adapter's reported configurations (f16 operands, f32 results).
#define SHAPE_M 1.. // rows of a result
#define SHAPE_N 1.. // its columns
#define SHAPE_K 1.. // depth of a product
enable f16;
enable subgroups;
enable chromium_experimental_subgroup_matrix;
diagnostic(off, chromium.subgroup_matrix_uniformity);

struct Params { turns: u32 }
#params Params

var<storage, read> operands: array<f16>;
var<storage, read_write> sink: array<f32>;

override WORKGROUP: u32 = 128;

alias Left = subgroup_matrix_left<f16, ${SHAPE_K}, ${SHAPE_M}>;
alias Right = subgroup_matrix_right<f16, ${SHAPE_N}, ${SHAPE_K}>;
alias Result = subgroup_matrix_result<f32, ${SHAPE_N}, ${SHAPE_M}>;

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) group: vec3u) {
  let left = subgroupMatrixLoad<Left, row_major>(&operands, 0u, ${SHAPE_K}u);
  let right = subgroupMatrixLoad<Right, row_major>(&operands, 0u, ${SHAPE_N}u);
#for c in 0..8
  var r${c} = Result(0.0);
#endfor
  for (var turn = 0u; turn < params.turns; turn++) {
#for c in 0..8
    r${c} = subgroupMatrixMultiplyAccumulate(left, right, r${c});
#endfor
  }
#for c in 0..8
  subgroupMatrixStore<row_major>(&sink, group.x * 8u * ${SHAPE_M * SHAPE_N}u + ${c}u * ${SHAPE_M * SHAPE_N}u, r${c}, ${SHAPE_N}u);
#endfor
}
