// Writes ../src/analyzer/unicode/tables.rs. Needs node and, in the current folder:
//   npm install @unicode/unicode-12.1.0 @unicode/unicode-13.0.0
// The words of the standard tokenizer are those of Unicode 12.1, case and digits those of 13.0.
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';
import { writeFileSync } from 'node:fs';

const require = createRequire(pathToFileURL(process.cwd() + '/'));
const load = async (version, path) => {
  const base = require.resolve(`@unicode/unicode-${version}/package.json`).replace('package.json', '');
  return (await import(pathToFileURL(`${base}${path}/code-points.mjs`))).default;
};

const WORD = { ALetter: 'ALETTER', Hebrew_Letter: 'HEBREW', Katakana: 'KATAKANA', MidLetter: 'MID_LETTER', MidNumLet: 'MID_NUM_LET',
  MidNum: 'MID_NUM', Single_Quote: 'SINGLE_QUOTE', Double_Quote: 'DOUBLE_QUOTE', Numeric: 'NUMERIC', ExtendNumLet: 'EXTEND_NUM_LET',
  Regional_Indicator: 'REGIONAL', ZWJ: 'ZWJ' };
const names = [...new Set([...Object.values(WORD), 'IGNORED', 'HANGUL', 'HAN', 'HIRAGANA', 'COMPLEX', 'KEY_CAP_BASE', 'KEY_CAP',
  'PRESENTATION', 'EMOJI_CHAR', 'EMOJI_MODIFIER', 'EMOJI_BASE', 'TAG', 'TAG_END'])];
const bit = Object.fromEntries(names.map((name, i) => [name, 2 ** i]));
const mask = new Uint32Array(0x110000);
const mark = (points, name) => { for (const point of points) mask[point] |= bit[name]; };

for (const [value, name] of Object.entries(WORD)) mark(await load('12.1.0', `Word_Break/${value}`), name);
for (const value of ['Format', 'Extend', 'ZWJ']) mark(await load('12.1.0', `Word_Break/${value}`), 'IGNORED');
const letters = new Set([...await load('12.1.0', 'Word_Break/ALetter'), ...await load('12.1.0', 'Word_Break/Hebrew_Letter')]);
mark((await load('12.1.0', 'Script/Hangul')).filter(point => letters.has(point)), 'HANGUL');
mark(await load('12.1.0', 'Script/Han'), 'HAN');
mark(await load('12.1.0', 'Script/Hiragana'), 'HIRAGANA');
mark(await load('12.1.0', 'Line_Break/Complex_Context'), 'COMPLEX');
const wide = new Set(await load('12.1.0', 'Block/Halfwidth_And_Fullwidth_Forms'));
mark((await load('12.1.0', 'General_Category/Decimal_Number')).filter(point => wide.has(point)), 'NUMERIC');
const keys = [...'0123456789#*'].map(c => c.codePointAt(0));
const modifiers = await load('12.1.0', 'Binary_Property/Emoji_Modifier');
const accidental = [0xa9, 0xae, 0x2122, 0x3030, 0x303d];
const not = new Set([...keys, ...modifiers, ...accidental, ...await load('12.1.0', 'Word_Break/Regional_Indicator')]);
mark(keys, 'KEY_CAP_BASE');
mark([0x20e3], 'KEY_CAP');
mark([0xfe0f], 'PRESENTATION');
mark(modifiers, 'EMOJI_MODIFIER');
mark(await load('12.1.0', 'Binary_Property/Emoji_Modifier_Base'), 'EMOJI_BASE');
mark((await load('12.1.0', 'Binary_Property/Emoji')).filter(point => !not.has(point)), 'EMOJI_CHAR');
mark(await load('12.1.0', 'Binary_Property/Extended_Pictographic'), 'EMOJI_CHAR');
mark(Array.from({ length: 0x5f }, (_, i) => 0xe0020 + i), 'TAG');
mark([0xe007f], 'TAG_END');
// Neither presentation selector is passed over inside an emoji.
const kept = new Set([0xfe0e, 0xfe0f]);

const classes = [], of = new Map(), runs = [];
let last = -1;
for (let point = 0; point < 0x110000; point++) {
  const key = `${mask[point]}${kept.has(point)}`;
  if (!of.has(key)) { of.set(key, classes.length); classes.push([mask[point], kept.has(point)]); }
  const id = of.get(key);
  if (id !== last) runs.push([point, id]);
  last = id;
}
const hex = number => '0x' + number.toString(16);
const rows = (cells, width = 110) => {
  let lines = [''];
  for (const cell of cells) {
    if (lines.at(-1).length + cell.length > width) lines.push('');
    lines[lines.length - 1] += (lines.at(-1) ? ' ' : '    ') + cell + ',';
  }
  return lines.join('\n');
};
const ranges = points => {
  const out = [];
  for (const point of points) {
    if (out.length && out.at(-1)[1] + 1 === point) out.at(-1)[1] = point; else out.push([point, point]);
  }
  return out;
};
const lower = [...await load('13.0.0', 'Simple_Case_Mapping/Lowercase')].sort((a, b) => a[0] - b[0]);
const zeros = ranges((await load('13.0.0', 'General_Category/Decimal_Number')));
const letterRanges = ranges((await load('13.0.0', 'General_Category/Letter')));
const markRanges = ranges(await load('13.0.0', 'General_Category/Nonspacing_Mark'));
const ignorable = ['Punctuation', 'Symbol', 'Separator', 'Control', 'Format'];
const punctuation = new Set((await Promise.all(ignorable.map(of => load('13.0.0', `General_Category/${of}`)))).flat());
const punctuationRanges = ranges([...punctuation].filter(point => point < 0x10000).sort((a, b) => a - b));
const array = (doc, name, type, cells) => `/// ${doc}\npub static ${name}: &[${type}] = &[\n${rows(cells)}\n];\n`;
const pair = ([a, b]) => `(${hex(a)}, ${hex(b)})`;
const text = `//! Made by \`tables/make.mjs\` from the Unicode Character Database (Unicode License v3); not to be edited.

${names.map((name, i) => `pub const ${name}: u32 = 1 << ${i};`).join('\n')}
/// Of the two presentation selectors, which an emoji does not pass over.
pub const SELECTOR: u32 = 1 << ${names.length};

${array('What each class of code points is, as bits.', 'CLASSES', 'u32', classes.map(([m, k]) => hex(m + (k ? 2 ** names.length : 0))))}
${array('The first code point of each run of one class.', 'RUNS', '(u32, u8)', runs.map(([point, id]) => `(${hex(point)}, ${id})`))}
${array('Code points with a lower case of one code point, and that.', 'LOWER', '(u32, u32)', lower.map(pair))}
${array('Runs of decimal digits, each a whole number of tens from a zero.', 'DIGITS', '(u32, u32)', zeros.map(pair))}
${array('Runs of letters.', 'LETTERS', '(u32, u32)', letterRanges.map(pair))}
${array('Runs of what is neither letter, mark nor number, in plane 0.', 'PUNCTUATION', '(u32, u32)', punctuationRanges.map(pair))}
${array('Runs of nonspacing marks.', 'NONSPACING', '(u32, u32)', markRanges.map(pair))}`;
writeFileSync(new URL('../src/analyzer/unicode/tables.rs', import.meta.url), text);
