// Text with colours. Whatever is a text alone is shown as text: nothing that a host says can be a colour or move the cursor.
import { shownLines } from '../model/escape.ts'

/** A piece of a text with its colour. */
export interface Piece {
  readonly text: string
  /** Puts the codes of a terminal around what is safe to show. */
  readonly paint: (safe: string) => string
}

/** A text of which some pieces have a colour. */
class Painted {
  readonly pieces: readonly (string | Piece)[]

  constructor(pieces: readonly (string | Piece)[]) {
    this.pieces = pieces
  }
}

/** What is printed: one line, or several whose ends are meant. */
export type Line = string | Painted

/** Joins pieces; where none has a colour it is a text. */
export const painted = (...pieces: readonly (string | Piece)[]): Line =>
  pieces.every((piece) => typeof piece === 'string') ? pieces.join('') : new Painted(pieces)

/** The one way of text to a terminal, or to whatever else is there: the colours of netops are all that commands it. */
export const rendered = (line: Line): string =>
  typeof line === 'string'
    ? shownLines(line)
    : line.pieces
        .map((piece) => (typeof piece === 'string' ? shownLines(piece) : piece.paint(shownLines(piece.text))))
        .join('')
