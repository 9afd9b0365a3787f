/** `rackstrap images list`: what the image cache holds, and which nodes use it. */
import type { Command } from 'commander'
import { type ListedImage, listImages } from '../images/list-images.ts'
import { createLog } from '../log.ts'
import { thisBox } from '../serve/box.ts'
import { loadSettings } from '../serve/settings.ts'
import { jsonOf, print } from './output.ts'
import { sizeText } from './progress.ts'
import { renderTable, shortTime } from './table.ts'

type ListOptions = { config?: string; json?: boolean }

async function list({ config: path, json }: ListOptions): Promise<void> {
  const { config } = await loadSettings(path, thisBox, () => createLog('error', () => {}))
  const images = await listImages(config)
  await print(json ? jsonOf(images) : renderImages(images))
}

export function renderImages(images: readonly ListedImage[]): string {
  if (images.length === 0) return 'The image cache is empty.\n'
  const rows = images.map(({ source, format, size_bytes, disk_bytes, made_at, last_used, node_uuids }) => [
    source,
    format,
    sizeText(size_bytes),
    sizeText(disk_bytes),
    shortTime(made_at),
    shortTime(last_used),
    node_uuids.join(', ') || '-',
  ])
  return renderTable([['IMAGE', 'FORMAT', 'SIZE', 'ON DISK', 'MADE', 'LAST USED', 'NODES'], ...rows])
}

export function addImageCommands(images: Command, configOption: readonly [string, string]): void {
  images
    .command('list')
    .description('list what the image cache holds, the last used first, with the nodes that use it')
    .option(...configOption)
    .option('--json', 'print JSON')
    .action(list)
}
