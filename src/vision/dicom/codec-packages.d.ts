/** The parts that are used of two packages that bring no types. */
declare module '@cornerstonejs/codec-openjpeg/decodewasmjs' {
  const create: import('./codecs.js').CreateModule<'J2KDecoder'>;
  export default create;
}
declare module '@cornerstonejs/codec-charls/decodewasmjs' {
  const create: import('./codecs.js').CreateModule<'JpegLSDecoder'>;
  export default create;
}
