/** What the builder reads of programs, on paper and on a real one. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { isElf, neededLibraries, sectionOf, stripped } from '../../../pxe/ramdisk/elf.ts'
import { libraryOnPaper, moduleOnPaper } from './elf-on-paper.ts'
import { withFolder } from './folder.ts'

describe('ELF files', () => {
  it('tell the libraries that they need, in their order', () => {
    const library = libraryOnPaper(['libc.so.6', 'libm.so.6'])

    assert.deepEqual(neededLibraries(library), ['libc.so.6', 'libm.so.6'])
  })

  it('tell them also when they are stripped', () => {
    const library = libraryOnPaper(['libdl.so.2'], 'symbols'.repeat(1000))

    const small = stripped(library)

    assert.equal(small.length, library.length - 7000)
    assert.deepEqual(neededLibraries(small), ['libdl.so.2'])
  })

  it('run when they are stripped', () =>
    withFolder(async (folder) => {
      const program = await readFile('/usr/bin/env')
      const path = join(folder, 'env')

      await writeFile(path, stripped(program), { mode: 0o755 })

      assert.equal(execFileSync(path, ['echo', 'ran'], { encoding: 'utf8' }), 'ran\n')
    }))

  it('need nothing when they are linked statically, or are modules', () => {
    assert.deepEqual(neededLibraries(moduleOnPaper('license=GPL')), [])
  })

  it('give their sections by name', () => {
    const module = moduleOnPaper('license=GPL', 'alias=pci:v1')

    assert.equal(sectionOf(module, '.modinfo')?.toString(), 'license=GPL\0alias=pci:v1\0')
    assert.equal(sectionOf(module, '.text'), undefined)
  })

  it('are told from anything else', () => {
    assert.equal(isElf(libraryOnPaper([])), true)
    assert.equal(isElf(Buffer.from('#!/bin/sh\n'.repeat(20))), false)
    assert.equal(isElf(Buffer.from('\x7fELF')), false)
  })

  it('that are cut off are an error, not an endless loop', () => {
    assert.throws(() => neededLibraries(libraryOnPaper(['libc.so.6']).subarray(0, 100)), RangeError)
  })
})
