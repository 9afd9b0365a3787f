/** Logically bound images, as the tree of a tenant's image names them. */
import assert from 'node:assert/strict'
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { boundImagesIn } from '../../../../../plugins/bootc/layers/podman/steps/bound-images.ts'

const FOLDER = 'usr/lib/bootc/bound-images.d'
const QUADLETS = 'usr/share/containers/systemd'

describe('images that an image binds', () => {
  let tree: string
  const write = async (path: string, content: string) => {
    await mkdir(dirname(join(tree, path)), { recursive: true })
    await writeFile(join(tree, path), content)
  }

  beforeEach(async () => {
    tree = await mkdtemp(join(tmpdir(), 'tree-'))
    await mkdir(join(tree, FOLDER), { recursive: true })
  })
  afterEach(() => rm(tree, { recursive: true }))

  it('are those of the quadlets that it links to, absolutely or not, each once', async () => {
    await write(`${QUADLETS}/db.container`, '[Unit]\nAfter=x\n[Container]\nImage=quay.io/org/db:16\nExec=db\n')
    await write(`${QUADLETS}/web.image`, `[Image]\nImage=ghcr.io/org/web@sha256:${'a1'.repeat(32)}`)
    await write(`${QUADLETS}/again.image`, '[Image]\nImage=quay.io/org/db:16\n')
    await symlink(`/${QUADLETS}/db.container`, join(tree, FOLDER, 'db.container'))
    await symlink('../../../share/containers/systemd/web.image', join(tree, FOLDER, 'web.image'))
    await symlink(`/${QUADLETS}/again.image`, join(tree, FOLDER, 'again.image'))

    assert.deepEqual(await boundImagesIn(tree), ['quay.io/org/db:16', `ghcr.io/org/web@sha256:${'a1'.repeat(32)}`])
  })

  it('are none where there is no such folder', async () => {
    await rm(join(tree, 'usr'), { recursive: true })

    assert.deepEqual(await boundImagesIn(tree), [])
  })

  it('are not looked for outside of the tree, however a link leads there', async () => {
    const outside = await mkdtemp(join(tmpdir(), 'outside-'))
    await writeFile(join(outside, 'a.image'), 'Image=quay.io/org/outside:1\n')
    await symlink(`../../../../../../../../../..${outside}/a.image`, join(tree, FOLDER, 'a.image'))

    await assert.rejects(
      boundImagesIn(tree),
      /\/usr\/lib\/bootc\/bound-images\.d\/a\.image of the image, which binds another one, cannot be read: ENOENT/,
    )
    await rm(outside, { recursive: true })
  })

  it('are refused where links go round in a circle', async () => {
    await symlink('b.image', join(tree, FOLDER, 'a.image'))
    await symlink('a.image', join(tree, FOLDER, 'b.image'))

    await assert.rejects(boundImagesIn(tree), /cannot be read: too many links/)
  })

  for (const image of ['--root=/', 'db', 'a"\nlocation="b']) {
    it(`are refused when they are none: ${JSON.stringify(image)}`, async () => {
      await write(`${FOLDER}/a.image`, `Image=${image}\n`)

      await assert.rejects(boundImagesIn(tree), /names no image that can be bound/)
    })
  }
})
