/** DICOM files that are full of marks, for tests of what becomes of fields that identify patients. */

/** A file whose fields but for those of its picture hold marks that nothing else holds. */
export interface MarkedFile {
  readonly bytes: Uint8Array;
  readonly marks: readonly string[];
}

/** Groups and elements of patients, studies, people and places, by value representation. */
const FIELDS: readonly (readonly [number, number, string])[] = [
  [0x0008, 0x0014, 'UI'],
  [0x0008, 0x0018, 'UI'],
  [0x0008, 0x0020, 'DA'],
  [0x0008, 0x002a, 'DT'],
  [0x0008, 0x0030, 'TM'],
  [0x0008, 0x0050, 'SH'],
  [0x0008, 0x0080, 'LO'],
  [0x0008, 0x0081, 'ST'],
  [0x0008, 0x0090, 'PN'],
  [0x0008, 0x1010, 'SH'],
  [0x0008, 0x103e, 'LO'],
  [0x0008, 0x1140, 'SQ'],
  [0x0009, 0x0010, 'LO'],
  [0x0009, 0x1001, 'UN'],
  [0x0009, 0x1002, 'OB'],
  [0x0010, 0x0010, 'PN'],
  [0x0010, 0x0020, 'LO'],
  [0x0010, 0x0030, 'DA'],
  [0x0010, 0x0040, 'CS'],
  [0x0010, 0x1000, 'LO'],
  [0x0010, 0x1010, 'AS'],
  [0x0010, 0x1040, 'LO'],
  [0x0010, 0x21b0, 'LT'],
  [0x0018, 0x1000, 'LO'],
  [0x0020, 0x000d, 'UI'],
  [0x0020, 0x0010, 'SH'],
  [0x0020, 0x4000, 'LT'],
];
/** After the pixels. */
const TRAILING: readonly (readonly [number, number, string])[] = [
  [0xfffa, 0xfffa, 'SQ'],
  [0xfffc, 0xfffc, 'OB'],
];

/** A picture of 16 x 12 samples of twelve bits. */
export function markedDicom(): MarkedFile {
  const marks: string[] = [];
  const mark = (vr: string): Buffer => {
    const n = String(marks.length + 10);
    const numeric = {
      UI: `1.2.826.73914${n}.860257`,
      DA: `1937${n}61`,
      TM: `7391${n}`,
      DT: `1937${n}61739146`,
    };
    const text = numeric[vr as keyof typeof numeric] ?? `Qz${n}Marke^Xv${n}Muster`;
    marks.push(...text.split('^'));
    return even(Buffer.from(text));
  };
  const field = ([group, element, vr]: readonly [number, number, string]): Buffer =>
    vr === 'SQ'
      ? tag(
          group,
          element,
          vr,
          item(tag(0x0010, 0x0010, 'PN', mark('PN')), tag(0x0008, 0x1155, 'UI', mark('UI'))),
        )
      : tag(group, element, vr, mark(vr));
  const u16 = (element: number, value: number) =>
    tag(0x0028, element, 'US', Buffer.from([value, value >> 8]));
  const pixels = Buffer.alloc(16 * 12 * 2);
  for (let i = 0; i < 192; i++) pixels.writeUInt16LE(i * 21, 2 * i);
  const meta = Buffer.concat([
    tag(0x0002, 0x0003, 'UI', mark('UI')),
    tag(0x0002, 0x0010, 'UI', even(Buffer.from('1.2.840.10008.1.2.1'))),
    tag(0x0002, 0x0013, 'SH', mark('SH')),
    tag(0x0002, 0x0016, 'AE', mark('AE')),
  ]);
  const length = Buffer.alloc(4);
  length.writeUInt32LE(meta.length);
  const bytes = Buffer.concat([
    Buffer.alloc(128, mark('LO')),
    Buffer.from('DICM'),
    tag(0x0002, 0x0000, 'UL', length),
    meta,
    ...FIELDS.map(field),
    u16(0x0002, 1),
    tag(0x0028, 0x0004, 'CS', even(Buffer.from('MONOCHROME2'))),
    ...(
      [
        [0x10, 12],
        [0x11, 16],
        [0x100, 16],
        [0x101, 12],
        [0x102, 11],
        [0x103, 0],
      ] as const
    ).map(([e, v]) => u16(e, v)),
    tag(0x0040, 0x0275, 'SQ', item(tag(0x0040, 0x0007, 'LO', mark('LO')))),
    tag(0x7fe0, 0x0010, 'OW', pixels),
    ...TRAILING.map(field),
  ]);
  return { bytes, marks };
}

function even(bytes: Buffer): Buffer {
  return bytes.length % 2 === 0 ? bytes : Buffer.concat([bytes, Buffer.from([0])]);
}

function tag(group: number, element: number, vr: string, value: Buffer): Buffer {
  const long = ['OB', 'OW', 'UN', 'SQ'].includes(vr);
  const head = Buffer.alloc(long ? 12 : 8);
  head.writeUInt16LE(group, 0);
  head.writeUInt16LE(element, 2);
  head.write(vr, 4, 'latin1');
  if (long) head.writeUInt32LE(value.length, 8);
  else head.writeUInt16LE(value.length, 6);
  return Buffer.concat([head, value]);
}

function item(...fields: Buffer[]): Buffer {
  const content = Buffer.concat(fields);
  const head = Buffer.alloc(8);
  head.writeUInt16LE(0xfffe, 0);
  head.writeUInt16LE(0xe000, 2);
  head.writeUInt32LE(content.length, 4);
  return Buffer.concat([head, content]);
}

/** Marks that are in a text or a file, in any of the encodings that they may have come through. */
export function marksIn(content: string | Uint8Array, marks: readonly string[]): string[] {
  const bytes = Buffer.from(content as Uint8Array);
  // What is in base64 is looked through as bytes, and what is two bytes a letter without the zeros between.
  const inner = [...bytes.toString('latin1').matchAll(/[A-Za-z0-9+/]{64,}={0,2}/g)].map(([text]) =>
    Buffer.from(text, 'base64'),
  );
  const texts = [bytes, ...inner].flatMap((part) => {
    const text = part.toString('latin1');
    return [text, text.replaceAll('\0', '')];
  });
  return marks.filter((mark) => texts.some((text) => text.includes(mark)));
}
