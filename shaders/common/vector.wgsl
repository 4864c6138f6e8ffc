// V is what one load brings: four elements where VEC4 is defined (rows and their starts are then multiples of four),
// one otherwise.
#define VEC4 // four elements per load

#if VEC4
alias V = vec4f;
fn sumOf(v: V) -> f32 { return (v.x + v.y) + (v.z + v.w); }
fn maxOf(v: V) -> f32 { return max(max(v.x, v.y), max(v.z, v.w)); }
#else
alias V = f32;
fn sumOf(v: V) -> f32 { return v; }
fn maxOf(v: V) -> f32 { return v; }
#endif
