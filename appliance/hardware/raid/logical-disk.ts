/**
 * What target_raid_config may say of a logical disk, whatever makes it.
 * @source Ironic drivers/raid_config_schema.json
 */

export const LOGICAL_DISK_PROPERTIES: Readonly<Record<string, string>> = {
  raid_level: 'RAID level: JBOD, 0, 1, 2, 5, 6, 1+0, 5+0 or 6+0. Required.',
  size_gb: 'Size in GiB, a whole number; MAX for all that is left. Required.',
  volume_name: 'Name of the volume; one is made when there is none. Optional.',
  is_root_volume: 'Whether the operating system goes there. False when left out. Optional.',
  share_physical_disks: 'Whether other logical disks may be on the same physical disks. False when left out. Optional.',
  disk_type: 'hdd or ssd; any when left out. Optional.',
  interface_type: 'sata, scsi or sas; any when left out. Optional.',
  number_of_physical_disks: 'How many physical disks; as few as the RAID level needs when left out. Optional.',
  controller: 'The RAID controller; any that fits when left out. Optional.',
  physical_disks: 'Which physical disks, as names, or as at least two hints; any that fit when left out. Optional.',
}
