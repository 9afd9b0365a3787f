#!/usr/bin/perl
# Takes from this process what its program does not need, and becomes that program: see confine.ts, which alone starts
# it. Perl, as every Debian has it, because setpriv(1) knows Landlock only from Debian 13 on, and no seccomp filter.
# Usage: confine.pl [OPTION VALUE]... -- PROGRAM [ARGUMENT]...
use strict;
use Config;

# Numbers of system calls: linux/arch/x86/entry/syscalls/syscall_64.tbl, linux/include/uapi/asm-generic/unistd.h
my ($machine) = $Config{archname} =~ /^(\w+)-/;
my %calls_of = (
  x86_64 => {
    arch => 0xC000003E, prctl => 157, capset => 126, prlimit => 302, openat => 257, close => 3, socket => 41,
    # truncate: Landlock leaves it alone before Linux 6.2. io_uring: it opens and connects past a filter.
    denied => [76, 101, 165, 166, 155, 175, 313, 176, 246, 320, 248, 249, 250, 272, 308, 298, 304, 310, 311, 321, 323, 425, 428 .. 433, 442],
  },
  aarch64 => {
    arch => 0xC00000B7, prctl => 167, capset => 91, prlimit => 261, openat => 56, close => 57, socket => 198,
    denied => [45, 117, 40, 39, 41, 105, 273, 106, 104, 294, 217, 218, 219, 97, 268, 241, 265, 270, 271, 280, 282, 425, 428 .. 433, 442],
  },
);
my $calls = $calls_of{$machine} // fail("knows x86_64 and aarch64, not $machine");
my ($LANDLOCK_CREATE, $LANDLOCK_ADD, $LANDLOCK_RESTRICT) = (444, 445, 446);
my ($PR_SET_PDEATHSIG, $PR_SET_SECCOMP, $PR_CAPBSET_DROP, $PR_SET_NO_NEW_PRIVS, $PR_CAP_AMBIENT) = (1, 22, 24, 38, 47);
my %LIMITS = (cpu => 0, fsize => 1, as => 9);
my $RLIMIT_CORE = 4;
my $LAST_CAPABILITY = 40;

my (@reads, @writes, @hides, @capabilities, %limits, $nice, $parent, $offline, $account, $open, $unix);
while (defined(my $option = shift)) {
  last if $option eq '--';
  my $value = shift;
  if    ($option eq '--read')   { push @reads, $value }
  elsif ($option eq '--write')  { push @writes, $value }
  elsif ($option eq '--hide')   { push @hides, $value }
  elsif ($option eq '--cap')    { push @capabilities, $value }
  elsif ($option eq '--nice')   { $nice = $value }
  elsif ($option eq '--parent') { $parent = $value }
  elsif ($option eq '--account') { $account = $value }
  elsif ($option eq '--open')   { $open = $value }
  elsif ($option eq '--offline') { $offline = $value }
  elsif ($option eq '--unix')   { $unix = $value }
  elsif ($option =~ /^--limit-(\w+)$/) { $limits{$LIMITS{$1} // fail("knows no limit $1")} = $value }
  else { fail("knows no option $option") }
}

sub fail { print STDERR "confine: $_[0]\n"; exit 126 }
sub prctl { syscall($calls->{prctl}, $_[0], $_[1] // 0, $_[2] // 0, 0, 0) }

sub limit {
  my ($resource, $value) = @_;
  syscall($calls->{prlimit}, 0, $resource + 0, pack('QQ', $value, $value), 0) == 0 or fail("limit $resource: $!");
}

# As root the bounding set is emptied, so that exec gives nothing back. Under the unit that is refused, and not needed:
# there is no root, and what is not ambient does not outlive exec.
sub drop_capabilities {
  my %kept = map { $_ => 1 } @capabilities;
  for my $capability (0 .. $LAST_CAPABILITY) {
    next if $kept{$capability};
    prctl($PR_CAPBSET_DROP, $capability);
    syscall($calls->{prctl}, $PR_CAP_AMBIENT, 3, $capability, 0, 0);
  }
  # Linux counts the capability sets in words of 32 bits: version 3 has two of effective, permitted, inheritable.
  my @held = map { $_ < 32 ? [1 << $_, 0] : [0, 1 << ($_ - 32)] } @capabilities;
  my ($low, $high) = (0, 0);
  ($low, $high) = ($low | $_->[0], $high | $_->[1]) for @held;
  # Refused by the unit's filter, where the inheritable set does nothing: no program of Debian's is marked for it.
  my $version = 0x20080522;
  my ($head, $sets) = (pack('Ll', $version, 0), pack('L6', ($low) x 3, ($high) x 3));
  syscall($calls->{capset}, $head, $sets) if $> == 0;
}

sub become {
  my ($uid, $gid, @groups) = @_;
  # The first is the effective one, the others are the whole list of groups.
  ($), $() = (join(' ', $gid, @groups ? @groups : $gid), $gid);
  ($<, $>) = ($uid, $uid);
  fail("account $uid:$gid: $!") unless $< == $uid && $> == $uid && (split / /, $))[0] == $gid;
}

my ($EXECUTE, $WRITE_FILE, $READ_FILE, $READ_DIR, $ALL_OF_V1, $REFER, $TRUNCATE) = (1, 2, 4, 8, 0x1fff, 0x2000, 0x4000);
# What every program needs of the system. Of /etc nothing that could hold a secret.
my @SYSTEM = (
  qw(/usr /bin /sbin /lib /lib32 /lib64 /libx32 /proc /sys/devices/system /sys/kernel/mm /etc/alternatives /etc/ssl/certs /etc/ssl/openssl.cnf /etc/pki),
  qw(/etc/ld.so.cache /etc/ld.so.preload /etc/localtime /etc/nsswitch.conf /etc/host.conf /etc/hosts /etc/resolv.conf),
  qw(/etc/passwd /etc/group /etc/services /etc/protocols /etc/gai.conf /etc/mime.types /etc/ca-certificates /run/systemd/resolve),
);
my @DEVICES = qw(/dev/null /dev/zero /dev/full /dev/tty /dev/random /dev/urandom);

sub restrict_files {
  my $version = syscall($LANDLOCK_CREATE, 0, 0, 1);
  # No Landlock in this kernel: what is taken elsewhere has to do.
  return if $version < 1;
  my $all = $ALL_OF_V1 | ($version >= 2 ? $REFER : 0) | ($version >= 3 ? $TRUNCATE : 0);
  # Since version 6: no signal and no abstract socket beyond its own.
  my $attributes = pack('QQQ', $all, 0, $version >= 6 ? 3 : 0);
  my $ruleset = syscall($LANDLOCK_CREATE, $attributes, $version >= 6 ? 24 : 8, 0);
  fail("landlock_create_ruleset: $!") if $ruleset < 0;
  my $allow = sub {
    my ($path, $access) = @_;
    # O_PATH | O_CLOEXEC. What is not there needs no rule.
    my $fd = syscall($calls->{openat}, -100, $path, 0x280000, 0);
    return if $fd < 0;
    $access &= $EXECUTE | $WRITE_FILE | $READ_FILE | $TRUNCATE unless -d $path;
    syscall($LANDLOCK_ADD, $ruleset, 1, pack('Ql', $access & $all, $fd), 0) == 0 or fail("$path: $!");
    syscall($calls->{close}, $fd);
  };
  my $readable = $EXECUTE | $READ_FILE | $READ_DIR;
  if ($open) {
    all_but('/', $allow, $all);
  } else {
    $allow->($_, $readable) for @SYSTEM;
    $allow->($_, $readable | $WRITE_FILE) for @DEVICES;
  }
  $allow->($_, $readable) for @reads;
  $allow->($_, $all) for @writes;
  syscall($LANDLOCK_RESTRICT, $ruleset, 0) == 0 or fail("landlock_restrict_self: $!");
  syscall($calls->{close}, $ruleset);
}

# Landlock knows no exception below what it allows: all beside the way to what is hidden is allowed, one by one.
sub all_but {
  my ($folder, $allow, $access) = @_;
  opendir(my $entries, $folder) or return;
  for my $name (readdir $entries) {
    my $path = $folder eq '/' ? "/$name" : "$folder/$name";
    next if $name eq '.' || $name eq '..' || -l $path || grep { $_ eq $path } @hides;
    if (grep { index($_, "$path/") == 0 } @hides) { all_but($path, $allow, $access) }
    else { $allow->($path, $access) }
  }
}

# linux/filter.h: load a word, jump if equal or greater, return.
sub filter_calls {
  my @denied = $open ? () : ($offline ? $calls->{socket} : (), @{ $calls->{denied} });
  my $AF_UNIX = 1;
  my ($LOAD, $EQUAL, $AT_LEAST, $RETURN) = (0x20, 0x15, 0x35, 0x06);
  my ($ALLOW, $EPERM) = (0x7fff0000, 0x00050001);
  my @program = ([$LOAD, 0, 0, 4], [$EQUAL, 1, 0, $calls->{arch}], [$RETURN, 0, 0, $EPERM], [$LOAD, 0, 0, 0]);
  # The calls of x32 have other numbers.
  push @program, [$AT_LEAST, 0, 1, 0x40000000], [$RETURN, 0, 0, $EPERM];
  push @program, [$EQUAL, 0, 1, $_], [$RETURN, 0, 0, $EPERM] for @denied;
  # The appliance's own sockets have its account, and Landlock knows no rule for them. 16: the first argument.
  push @program, [$EQUAL, 0, 4, $calls->{socket}], [$LOAD, 0, 0, 16], [$EQUAL, 0, 1, $AF_UNIX], [$RETURN, 0, 0, $EPERM],
    [$RETURN, 0, 0, $ALLOW];
  push @program, [$RETURN, 0, 0, $ALLOW];
  my $code = join '', map { pack('SCCL', @$_) } @program;
  my $filter = pack('Sx6P', scalar @program, $code);
  prctl($PR_SET_SECCOMP, 2, $filter) == 0 or fail("seccomp: $!");
}

setpriority(0, 0, $nice) if defined $nice;
limit($RLIMIT_CORE, 0);
limit($_, $limits{$_}) for keys %limits;
prctl($PR_SET_NO_NEW_PRIVS, 1) == 0 or fail("no_new_privs: $!");
# Before root is no more than the owner of its files: a way may lead through folders of others.
restrict_files();
become(split /:/, $account) if defined $account;
drop_capabilities();
if (defined $parent) {
  # A change of account forgets it.
  prctl($PR_SET_PDEATHSIG, 9);
  # It may have ended before.
  exit 126 if getppid() != $parent;
}
filter_calls() unless $unix;
exec { $ARGV[0] } @ARGV or do { print STDERR "confine: $ARGV[0]: $!\n"; exit 127 };
