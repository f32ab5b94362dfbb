// An extended attribute of a file, by perl: minimal hosts have no attr(1).

// setxattr(2) and getxattr(2) of x86_64 and aarch64. What perl gives to a system call must be a variable.
const before =
  'my ($set, $get) = `uname -m` =~ /aarch64/ ? (5, 8) : (188, 191); my ($path, $name, $value) = ($ARGV[0], "user.origin", $ARGV[1] . "");'

/** A command that sets it. */
export const setAttribute = (path: string, value: string): readonly string[] => [
  ...['perl', '-e', `${before} syscall($set, $path, $name, $value, length $value, 0) == 0 or die $!`, path, value],
]

/** A command that prints it, or nothing where there is none. */
export const getAttribute = (path: string): readonly string[] => [
  ...[
    'perl',
    '-e',
    `${before} my $b = " " x 99; my $n = syscall($get, $path, $name, $b, 99); print substr $b, 0, $n if $n > 0`,
  ],
  path,
]
