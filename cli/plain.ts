/** Text of the far side as a terminal may show it. */

/** Text without control characters but for tabs and the ends of lines: what comes from elsewhere must not steer a terminal. */
export function plain(text: string): string {
  // deno-lint-ignore no-control-regex -- these are what is looked for
  return text.replace(/\x1b\[[0-9;]*m/g, "").replace(/[\x00-\x08\x0b-\x1f\x7f-\x9f]/g, "\ufffd");
}

/** The same in one line. */
export function oneLine(text: string): string {
  return plain(text.trim().replace(/\s*\r?\n\s*/g, "; "));
}
