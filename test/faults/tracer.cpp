// Runs a program under ptrace and comes between it and its disk: counts its calls on files below a folder, lets the n-th of
// a kind fail as a failing disk would, and records what is written and synced, in the order in which it took effect.
// The calls of all threads and of all processes that the program starts are seen, whoever makes them: Bun makes its own
// with inline instructions, SQLite and hnswlib through the C library. Linux on x86-64 only.
//
//   tracer CONTROL ROOT LOG -- PROGRAM ARGS...     (LOG may be - : nothing is recorded)
//
// CONTROL is a file of 4096 bytes that the test maps as well: the words below. What LOG holds stands at `record`.
#include <cerrno>
#include <climits>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <map>
#include <string>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

enum Kind { WRITE, SYNC, RENAME, OPEN, TRUNCATE, UNLINK, MKDIR, LINK, COPY, MMAP, CLOSE, KINDS };

// Words of the control file (32 bits each); the same list stands in tracer.ts.
enum Word { ARMED, KIND, COUNTDOWN, ACTION, HITS, STICKY, MARK, SERVER, UNKNOWN, SEEN = 16 };
constexpr int SHORT_WRITE = 10000, KILL = 10001;
constexpr int FILTER_AT = 256, HIT_AT = 1024, UNKNOWN_AT = 2048, TEXT = 900;

static volatile int32_t *control;
static char *page;
static std::string root;
static FILE *record_file = nullptr;
static pid_t server = 0;

struct Call {
  long number;
  Kind kind;
};
static const Call CALLS[] = {
    {SYS_write, WRITE},         {SYS_pwrite64, WRITE},   {SYS_writev, WRITE},     {SYS_pwritev, WRITE},
    {SYS_pwritev2, WRITE},      {SYS_fsync, SYNC},       {SYS_fdatasync, SYNC},   {SYS_sync_file_range, SYNC},
    {SYS_msync, SYNC},          {SYS_rename, RENAME},    {SYS_renameat, RENAME},  {SYS_renameat2, RENAME},
    {SYS_open, OPEN},           {SYS_openat, OPEN},      {SYS_creat, OPEN},       {SYS_ftruncate, TRUNCATE},
    {SYS_truncate, TRUNCATE},   {SYS_fallocate, TRUNCATE}, {SYS_unlink, UNLINK},  {SYS_unlinkat, UNLINK},
    {SYS_rmdir, UNLINK},        {SYS_mkdir, MKDIR},      {SYS_mkdirat, MKDIR},    {SYS_link, LINK},
    {SYS_linkat, LINK},         {SYS_symlink, LINK},     {SYS_symlinkat, LINK},   {SYS_copy_file_range, COPY},
    {SYS_sendfile, COPY},       {SYS_splice, COPY},      {SYS_mmap, MMAP},        {SYS_close, CLOSE},
    {SYS_io_uring_setup, COPY},
};

static void die(const char *what) {
  perror(what);
  exit(125);
}

static const Call *call_of(long number) {
  for (const Call &call : CALLS)
    if (call.number == number) return &call;
  return nullptr;
}

static std::string link_text(const std::string &path) {
  char text[PATH_MAX];
  ssize_t n = readlink(path.c_str(), text, sizeof text);
  return n < 0 ? "" : std::string(text, n);
}

static std::string proc(pid_t tid, const char *what) { return "/proc/" + std::to_string(tid) + "/" + what; }

static std::string path_of_fd(pid_t tid, int fd) { return link_text(proc(tid, "fd/") + std::to_string(fd)); }

static std::string bytes_of(pid_t tid, unsigned long address, size_t length) {
  std::string bytes(length, '\0');
  iovec here{bytes.data(), length}, there{reinterpret_cast<void *>(address), length};
  ssize_t n = process_vm_readv(tid, &here, 1, &there, 1, 0);
  bytes.resize(n < 0 ? 0 : n);
  return bytes;
}

static std::string text_of(pid_t tid, unsigned long address) {
  std::string text;
  while (text.size() < PATH_MAX) {
    // Never over the end of a page, which may be the last one that is mapped.
    size_t step = 4096 - ((address + text.size()) & 4095);
    std::string piece = bytes_of(tid, address + text.size(), step);
    if (piece.empty()) break;
    size_t end = piece.find('\0');
    text += piece.substr(0, end);
    if (end != std::string::npos) break;
  }
  return text;
}

static std::string path_at(pid_t tid, int folder, unsigned long address) {
  std::string path = text_of(tid, address);
  if (!path.empty() && path[0] == '/') return path;
  std::string base = folder == AT_FDCWD ? link_text(proc(tid, "cwd")) : path_of_fd(tid, folder);
  return path.empty() ? base : base + "/" + path;
}

/** One call as it is made: what it is about, filled in at its entry. */
struct Op {
  Kind kind = WRITE;
  long number = 0;
  std::string path, other;
  long long offset = -1;
  bool existed = false;
  int fail_with = 0;
  user_regs_struct regs{};
};

static long long position_of(pid_t tid, int fd) {
  FILE *file = fopen((proc(tid, "fdinfo/") + std::to_string(fd)).c_str(), "r");
  if (!file) return -1;
  long long pos = -1;
  unsigned flags = 0;
  if (fscanf(file, "pos: %lld flags: %o", &pos, &flags) < 1) pos = -1;
  fclose(file);
  if (flags & O_APPEND) {
    struct stat about;
    if (stat((proc(tid, "fd/") + std::to_string(fd)).c_str(), &about) == 0) pos = about.st_size;
  }
  return pos;
}

static bool is_below(const std::string &path) {
  return path.size() > root.size() && path.compare(0, root.size(), root) == 0 && path[root.size()] == '/' &&
         path.find(" (deleted)") == std::string::npos;
}

static Op describe(pid_t tid, const Call &call, const user_regs_struct &regs) {
  Op op;
  op.kind = call.kind;
  op.number = call.number;
  op.regs = regs;
  switch (call.number) {
  case SYS_rename:
  case SYS_link:
    op.path = path_at(tid, AT_FDCWD, regs.rdi);
    op.other = path_at(tid, AT_FDCWD, regs.rsi);
    break;
  case SYS_renameat:
  case SYS_renameat2:
  case SYS_linkat:
    op.path = path_at(tid, regs.rdi, regs.rsi);
    op.other = path_at(tid, regs.rdx, regs.r10);
    break;
  case SYS_symlink:
    op.path = path_at(tid, AT_FDCWD, regs.rsi);
    break;
  case SYS_symlinkat:
    op.path = path_at(tid, regs.rsi, regs.rdx);
    break;
  case SYS_open:
  case SYS_creat:
  case SYS_truncate:
  case SYS_unlink:
  case SYS_rmdir:
  case SYS_mkdir:
    op.path = path_at(tid, AT_FDCWD, regs.rdi);
    break;
  case SYS_openat:
  case SYS_unlinkat:
  case SYS_mkdirat:
    op.path = path_at(tid, regs.rdi, regs.rsi);
    break;
  case SYS_copy_file_range:
  case SYS_splice:
    op.path = path_of_fd(tid, regs.rdx);
    break;
  case SYS_mmap:
    if ((regs.r10 & MAP_SHARED) && (int)regs.r8 >= 0) op.path = path_of_fd(tid, regs.r8);
    break;
  case SYS_msync:
  case SYS_io_uring_setup:
    break;
  default:
    op.path = path_of_fd(tid, regs.rdi);
  }
  struct stat about;
  if (op.kind == OPEN) op.existed = lstat(op.path.c_str(), &about) == 0;
  if (call.number == SYS_pwrite64 || call.number == SYS_pwritev || call.number == SYS_pwritev2) op.offset = regs.r10;
  if (call.number == SYS_write || call.number == SYS_writev) op.offset = position_of(tid, regs.rdi);
  return op;
}

/**
 * One record: a line `mark kind offset length path-bytes other-bytes`, then the path, the other path, the data, a newline.
 * Paths are below ROOT. Kinds: W data at an offset, S a sync, R a rename, C a file that came to be, T a length, U a file
 * or a folder removed, M a folder made, L a link, A a least length, F a sync that failed.
 */
static void record(char kind, const Op &op, long long offset, const std::string &data) {
  auto below = [](const std::string &path) { return path.empty() ? path : path.substr(root.size() + 1); };
  std::string path = below(op.path), other = op.other.empty() ? "" : below(op.other);
  fprintf(record_file, "%d %c %lld %zu %zu %zu\n", control[MARK], kind, offset, data.size(), path.size(), other.size());
  fwrite(path.data(), 1, path.size(), record_file);
  fwrite(other.data(), 1, other.size(), record_file);
  fwrite(data.data(), 1, data.size(), record_file);
  fputc('\n', record_file);
  fflush(record_file);
}

static void unknown(const Op &op, const char *what) {
  control[UNKNOWN]++;
  snprintf(page + UNKNOWN_AT, TEXT, "%s (call %ld) on %s", what, op.number, op.path.c_str());
}

static void took_effect(pid_t tid, const Op &op, long long result) {
  switch (op.kind) {
  case WRITE: {
    std::string data;
    if (op.number == SYS_write || op.number == SYS_pwrite64) data = bytes_of(tid, op.regs.rsi, result);
    else {
      std::string table = bytes_of(tid, op.regs.rsi, op.regs.rdx * sizeof(iovec));
      for (size_t i = 0; i + sizeof(iovec) <= table.size() && (long long)data.size() < result; i += sizeof(iovec)) {
        iovec piece;
        memcpy(&piece, table.data() + i, sizeof piece);
        data += bytes_of(tid, (unsigned long)piece.iov_base, piece.iov_len);
      }
      data.resize(result);
    }
    if ((long long)data.size() != result) unknown(op, "data that cannot be read");
    record('W', op, op.offset, data);
    break;
  }
  case SYNC:
    if (op.number == SYS_sync_file_range) unknown(op, "sync of a range");
    record('S', op, 0, "");
    break;
  case RENAME:
    record('R', op, 0, "");
    break;
  case OPEN: {
    bool creates = op.number == SYS_creat || ((op.number == SYS_openat ? op.regs.rdx : op.regs.rsi) & O_CREAT);
    bool empties = op.number == SYS_creat || ((op.number == SYS_openat ? op.regs.rdx : op.regs.rsi) & O_TRUNC);
    if (!op.existed && creates) record('C', op, 0, "");
    else if (op.existed && empties) record('T', op, 0, "");
    break;
  }
  case TRUNCATE:
    if (op.number == SYS_fallocate) {
      long long end = (long long)op.regs.rdx + (long long)op.regs.r10;
      if (op.regs.rsi != 0) unknown(op, "an allocation of another mode");
      record('A', op, end, "");
    } else record('T', op, (long long)op.regs.rsi, "");
    break;
  case UNLINK:
    record('U', op, 0, "");
    break;
  case MKDIR:
    record('M', op, 0, "");
    break;
  case LINK:
    record('L', op, 0, "");
    break;
  case COPY:
    unknown(op, "a copy inside the kernel");
    break;
  case MMAP:
    // Bun maps what it reads so that it could be written; a graph is only read that way, and SQLite's index is no truth.
    if ((op.regs.rdx & PROT_WRITE) && op.path.find("-shm") == std::string::npos && op.path.find(".hnsw") == std::string::npos) unknown(op, "a mapping to write to");
    break;
  default:
    break;
  }
}

static std::map<pid_t, Op> in_flight;
static std::deque<pid_t> held;

static void resume(pid_t tid, int signal) {
  // Death may come first; wait tells.
  ptrace(in_flight.count(tid) ? PTRACE_SYSCALL : PTRACE_CONT, tid, 0, signal);
}

/** Whether this call is the one that is to fail. */
static bool is_due(const Op &op) {
  if (!control[ARMED] || !((control[KIND] >> op.kind) & 1)) return false;
  // A program that reads its own files is not what is asked for.
  const char *wanted = page + FILTER_AT;
  if (*wanted && op.path.find(wanted) == std::string::npos) return false;
  control[SEEN + KINDS]++;
  if (control[COUNTDOWN] > 1) {
    control[COUNTDOWN]--;
    return false;
  }
  if (control[COUNTDOWN] <= 0) return false;
  if (!control[STICKY]) control[COUNTDOWN] = 0;
  return true;
}

static void strike(pid_t tid, Op &op) {
  int action = control[ACTION];
  control[HITS]++;
  snprintf(page + HIT_AT, TEXT, "call %ld on %s", op.number, op.path.substr(root.size() + 1).c_str());
  user_regs_struct regs = op.regs;
  if (action == KILL) {
    kill(server, SIGKILL);
    return;
  }
  if (action == SHORT_WRITE) {
    if (op.kind == COPY) {
      auto &length = op.number == SYS_sendfile ? regs.r10 : regs.r8;
      if (length > 1) length /= 2;
      ptrace(PTRACE_SETREGS, tid, 0, &regs);
      return;
    }
    // A vector of one piece stays as it is: there is no half of it to name.
    bool is_vector = op.number != SYS_write && op.number != SYS_pwrite64;
    if (regs.rdx > 1) regs.rdx = is_vector ? 1 : regs.rdx / 2;
    ptrace(PTRACE_SETREGS, tid, 0, &regs);
    return;
  }
  // What is closed is closed, whatever the answer says.
  if (op.kind == CLOSE) {
    op.fail_with = action;
    return;
  }
  if (op.kind == SYNC && record_file) record('F', op, 0, "");
  regs.orig_rax = -1;
  regs.rax = -(long long)action;
  ptrace(PTRACE_SETREGS, tid, 0, &regs);
  op.fail_with = -1;
}

static void enter(pid_t tid) {
  user_regs_struct regs;
  if (ptrace(PTRACE_GETREGS, tid, 0, &regs) != 0) return;
  const Call *call = call_of(regs.orig_rax);
  if (!call) return resume(tid, 0);
  Op op = describe(tid, *call, regs);
  if (call->number == SYS_io_uring_setup) unknown(op, "a ring of calls");
  if (op.path.empty() || (!is_below(op.path) && !(op.kind == SYNC && op.path == root))) return resume(tid, 0);
  // Opening to read is no write; a folder is opened to be synced.
  control[SEEN + op.kind]++;
  if (is_due(op)) strike(tid, op);
  bool must_see_end = record_file || op.fail_with > 0;
  if (op.fail_with < 0 || !must_see_end) return resume(tid, 0);
  in_flight[tid] = op;
  resume(tid, 0);
}

/** One call at a time is under way while there is a record, so that their order is a fact. */
static void entered(pid_t tid) {
  if (record_file && !in_flight.empty()) held.push_back(tid);
  else enter(tid);
}

static void next_held() {
  while (in_flight.empty() && !held.empty()) {
    pid_t tid = held.front();
    held.pop_front();
    enter(tid);
  }
}

static void left(pid_t tid) {
  Op op = in_flight[tid];
  in_flight.erase(tid);
  user_regs_struct regs;
  if (ptrace(PTRACE_GETREGS, tid, 0, &regs) == 0) {
    long long result = regs.rax;
    if (op.fail_with > 0) {
      regs.rax = -(long long)op.fail_with;
      ptrace(PTRACE_SETREGS, tid, 0, &regs);
    }
    if (record_file && result >= 0) took_effect(tid, op, result);
  }
  resume(tid, 0);
  next_held();
}

static void filter_calls() {
  std::vector<sock_filter> program;
  program.push_back(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, arch)));
  program.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 1, 0));
  program.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
  program.push_back(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)));
  for (const Call &call : CALLS) {
    program.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)call.number, 0, 1));
    program.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRACE));
  }
  program.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
  sock_fprog filter{(unsigned short)program.size(), program.data()};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) die("no_new_privs");
  if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) != 0) die("seccomp");
}

static void pass_on(int signal) {
  if (server > 0) kill(server, signal);
}

int main(int argc, char **argv) {
  if (argc < 6 || strcmp(argv[4], "--") != 0) return 125;
  int file = open(argv[1], O_RDWR);
  if (file < 0) die("the control file");
  page = static_cast<char *>(mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0));
  if (page == MAP_FAILED) die("the control file");
  control = reinterpret_cast<volatile int32_t *>(page);
  root = argv[2];
  if (strcmp(argv[3], "-") != 0 && !(record_file = fopen(argv[3], "ab"))) die("the record");

  server = fork();
  if (server < 0) die("fork");
  if (server == 0) {
    if (ptrace(PTRACE_TRACEME, 0, 0, 0) != 0) die("ptrace");
    raise(SIGSTOP);
    filter_calls();
    execvp(argv[5], argv + 5);
    die("exec");
  }
  struct sigaction action {};
  action.sa_handler = pass_on;
  for (int signal : {SIGTERM, SIGINT, SIGHUP}) sigaction(signal, &action, nullptr);
  int status;
  if (waitpid(server, &status, 0) != server || !WIFSTOPPED(status)) return 125;
  long options = PTRACE_O_TRACESECCOMP | PTRACE_O_TRACECLONE | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK |
                 PTRACE_O_TRACEEXEC | PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL;
  if (ptrace(PTRACE_SETOPTIONS, server, 0, options) != 0) die("ptrace");
  control[SERVER] = server;
  ptrace(PTRACE_CONT, server, 0, 0);

  for (int result = 0;;) {
    pid_t tid = waitpid(-1, &status, __WALL);
    if (tid < 0 && errno == EINTR) continue;
    if (tid < 0) return result;
    if (WIFEXITED(status) || WIFSIGNALED(status)) {
      if (tid == server) result = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
      in_flight.erase(tid);
      for (auto at = held.begin(); at != held.end();) at = *at == tid ? held.erase(at) : at + 1;
      next_held();
      continue;
    }
    int signal = WSTOPSIG(status), event = status >> 16;
    if (event == PTRACE_EVENT_SECCOMP) entered(tid);
    else if (signal == (SIGTRAP | 0x80)) left(tid);
    else if (event != 0 || signal == SIGTRAP || signal == SIGSTOP) resume(tid, 0);
    else resume(tid, signal);
  }
}
