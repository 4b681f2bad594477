#include "proxies.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <thread>

#include "server/gateway/gateway.hpp"
#include "server/shards/runtime.hpp"

namespace liminal::bench {
namespace {

/// The runtime's thread, as the gateway's engine.
class Port final : public gateway::Engine {
 public:
  explicit Port(shards::Runtime& runtime) : runtime_(runtime) {}
  traffic::Verdict decide(const traffic::Event& event) override {
    return runtime_.worker(0).step(event);
  }
  void failed(const traffic::Event& event) override { (void)runtime_.worker(0).step(event); }
  EventTime now() override { return EventTime{runtime_.clock().now().time_since_epoch()}; }
  std::size_t owner(ShardId shard) const override { return runtime_.owner(shard); }

 private:
  shards::Runtime& runtime_;
};

struct Nowhere final : shards::Sink {
  void deliver(engine::Effects&) override {}
};

[[noreturn]] void serve(const std::string& upstream, int ready) {
  const auto settings = std::make_shared<const engine::Settings>(engine::Options{});
  const shards::EngineClock clock;
  Nowhere sink;
  shards::Options options;
  options.threads = 1;
  shards::Runtime runtime(options, settings, clock, sink);
  Port port(runtime);
  gateway::Census census;
  gateway::Gateway front(runtime.worker(0).loop(), port, nullptr, census, 0);
  front.connect_peers({&front});
  gateway::Options how;
  how.trusted_proxies = {epoll::Network::parse("127.0.0.1").value()};
  front.configure(std::make_shared<const gateway::Settings>(
      how, gateway::Upstreams::make({upstream}, nullptr).value(), nullptr));
  auto listener = epoll::Listener::open_at(epoll::Address::parse("127.0.0.1:0").value()).value();
  const std::string address = listener.local().text() + "\n";
  if (!front.listen(std::move(listener))) std::_Exit(1);
  (void)!::write(ready, address.data(), address.size());
  runtime.start();
  for (;;) ::pause();
}

void allow_many_files() {
  rlimit files{};
  ::getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &files);
}

/// Begins a child that dies with this process.
pid_t child(int cpu) {
  const pid_t pid = ::fork();
  if (pid != 0) return pid;
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  pin_to(cpu);
  allow_many_files();
  return 0;
}

std::string folder() {
  static const std::string path = [] {
    char text[] = "/tmp/liminal_bench_XXXXXX";
    return std::string(::mkdtemp(text));
  }();
  return path;
}

Proxy run_peer(const std::string& name,
               const std::vector<std::string>& command,
               int cpu,
               std::uint16_t port) {
  const pid_t pid = child(cpu);
  if (pid == 0) {
    std::vector<char*> words;
    for (const std::string& word : command) words.push_back(const_cast<char*>(word.c_str()));
    words.push_back(nullptr);
    const int nowhere = ::open("/dev/null", O_WRONLY);
    ::dup2(nowhere, 1);
    ::dup2(nowhere, 2);
    ::execv(words[0], words.data());
    std::_Exit(127);
  }
  const std::string address = fmt::format("127.0.0.1:{}", port);
  for (int i = 0; i < 200; ++i) {
    const auto probe = epoll::connect(epoll::Address::parse(address).value());
    std::this_thread::sleep_for(std::chrono::milliseconds{20});
    if (probe && probe->take_error() == 0 && probe->peer().port() == port)
      return {name, pid, address};
    if (::waitpid(pid, nullptr, WNOHANG) == pid) return {};
  }
  ::kill(pid, SIGKILL);
  return {};
}

}  // namespace

void pin_to(int cpu) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(static_cast<unsigned>(cpu), &set);
  (void)::sched_setaffinity(0, sizeof set, &set);
}

Proxy::Proxy(Proxy&& other) noexcept
    : name_(std::move(other.name_)),
      pid_(std::exchange(other.pid_, -1)),
      address_(std::move(other.address_)) {}

Proxy& Proxy::operator=(Proxy&& other) noexcept {
  std::swap(name_, other.name_);
  std::swap(pid_, other.pid_);
  std::swap(address_, other.address_);
  return *this;
}

Proxy::~Proxy() {
  if (pid_ < 0) return;
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
}

std::uint64_t Proxy::cpu_ns() const {
  std::uint64_t sum = 0;
  for (const auto& task : std::filesystem::directory_iterator(fmt::format("/proc/{}/task", pid_))) {
    std::uint64_t running = 0;
    std::ifstream(task.path() / "schedstat") >> running;
    sum += running;
  }
  return sum;
}

std::uint64_t Proxy::memory_bytes() const {
  std::ifstream file(fmt::format("/proc/{}/smaps_rollup", pid_));
  for (std::string word; file >> word;) {
    if (word != "Pss_Anon:") continue;
    std::uint64_t kib = 0;
    file >> kib;
    return kib * 1024;
  }
  return 0;
}

Proxy start_liminal(const std::string& name, const std::string& upstream, int cpu) {
  int pipe_ends[2];
  if (::pipe(pipe_ends) != 0) return {};
  const pid_t pid = child(cpu);
  if (pid == 0) serve(upstream, pipe_ends[1]);
  ::close(pipe_ends[1]);
  std::string address;
  for (char c; ::read(pipe_ends[0], &c, 1) == 1 && c != '\n';) address += c;
  ::close(pipe_ends[0]);
  return {name, pid, address};
}

Proxy start_nginx(const std::string& upstream_address, int cpu, std::uint16_t port) {
  const std::string path = folder() + "/nginx.conf";
  std::ofstream(path) << fmt::format(
      R"(daemon off; master_process off; pid {0}/nginx.pid; error_log /dev/null;
events {{ worker_connections 40000; use epoll; }}
http {{ access_log off; client_body_temp_path {0}; proxy_temp_path {0}; fastcgi_temp_path {0};
  uwsgi_temp_path {0}; scgi_temp_path {0};
  server {{ listen 127.0.0.1:{1} backlog=4096;
    location / {{ proxy_pass http://{2}; proxy_http_version 1.1;
      proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade;
      proxy_set_header Host $host; proxy_read_timeout 600s; proxy_send_timeout 600s; }} }} }}
)",
      folder(),
      port,
      upstream_address);
  return run_peer("nginx", {"/usr/sbin/nginx", "-c", path, "-p", folder()}, cpu, port);
}

Proxy start_haproxy(const std::string& upstream_address, int cpu, std::uint16_t port) {
  const std::string path = folder() + "/haproxy.cfg";
  // Two files a connection, and it refuses to start when they could not all be had.
  rlimit files{};
  ::getrlimit(RLIMIT_NOFILE, &files);
  const rlim_t connections = std::min<rlim_t>(files.rlim_max / 2 - 100, 20'000);
  std::ofstream(path) << fmt::format(
      "global\n  nbthread 1\n  maxconn {}\ndefaults\n  mode http\n  timeout client 600s\n"
      "  timeout server 600s\n  timeout connect 5s\n  timeout tunnel 600s\n"
      "frontend f\n  bind 127.0.0.1:{}\n  default_backend b\nbackend b\n  server s {}\n",
      connections,
      port,
      upstream_address);
  return run_peer("haproxy", {"/usr/sbin/haproxy", "-db", "-f", path}, cpu, port);
}

}  // namespace liminal::bench
