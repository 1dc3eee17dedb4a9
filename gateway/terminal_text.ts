/** Text of the far side as a terminal may show it. */

/** Colours and weights. */
// deno-lint-ignore no-control-regex -- what they begin with
const COLOURS = /\x1b\[[0-9;]*m/g;

/** What a terminal may obey, but for tabs and the ends of lines, and what changes the order of letters (UAX 9) or ends lines. */
// deno-lint-ignore no-control-regex -- these are what is looked for
const STEERING = /[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\p{Bidi_Control}]/gu;

/** Text without control characters but for tabs and the ends of lines: what comes from elsewhere must not steer a terminal. */
export function plain(text: string): string {
  return text.replace(COLOURS, "").replace(STEERING, "\ufffd");
}
