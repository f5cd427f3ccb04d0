// The `bytes` of an NDJSON line: hex as tracers print it, a list of numbers, or base64 if the line says so.

/** The text of hex: `6869`, `68 69`, `68:69`, `0x6869`, `0x68 0x69`, `\x68\x69`. */
const HEX = /^(?:(?:0x|\\x)?(?:[\da-f]{2})+(?:[ ,:]+|(?=0x|\\x)|$))*$/i;
const BASE64 = /^(?:[a-z\d+/]{4})*(?:[a-z\d+/]{2}==|[a-z\d+/]{3}=)?$/i;

/**
 * Returns the first bytes of a message. Text that is no hex is refused rather than guessed: an `abcd` is hex and base64.
 *
 * @param encoding the line's own word for the text of `bytes`, if it has one
 * @param count the length of the message
 */
export function parseBytes(bytes: unknown, encoding: unknown, count: number): Buffer | { refused: string } {
  const shown = JSON.stringify(bytes)?.slice(0, 60);
  let buffer: Buffer;
  if (Array.isArray(bytes) && bytes.every((byte) => Number.isInteger(byte) && byte >= 0 && byte < 256))
    buffer = Buffer.from(bytes);
  else if (typeof bytes !== 'string') return { refused: `bytes is ${shown}: give hex, such as "68690a"` };
  else if (encoding === 'base64') {
    if (!BASE64.test(bytes)) return { refused: `bytes is ${shown}, which is not base64` };
    buffer = Buffer.from(bytes, 'base64');
  } else if (encoding !== undefined && encoding !== 'hex')
    return { refused: `encoding is ${JSON.stringify(encoding)}: use hex or base64` };
  else if (HEX.test(bytes)) buffer = Buffer.from(bytes.replace(/0x|\\x|[ ,:]/gi, ''), 'hex');
  else
    return {
      refused: `bytes is ${shown}, which is not hex: give hex, such as "68690a", or add "encoding":"base64" to each line`,
    };
  if (buffer.length > count && count >= 0)
    return {
      refused: `bytes has ${buffer.length} bytes, but count is ${count}: give the first bytes of the message as hex`,
    };
  return buffer;
}
