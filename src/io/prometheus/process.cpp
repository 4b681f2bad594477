#include <dirent.h>
#include <sys/resource.h>
#include <unistd.h>

#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "io/prometheus/snapshot.hpp"

namespace liminal::prometheus {
namespace {

/// The numbers of /proc/self/stat from its third field on (proc(5)); its second may hold anything.
std::vector<double> own_stat() {
  std::ifstream file("/proc/self/stat");
  std::string line;
  std::getline(file, line);
  const std::size_t end = line.rfind(')');
  std::vector<double> numbers;
  if (end == std::string::npos) return numbers;
  std::istringstream words(line.substr(end + 1));
  std::string word;
  words >> word;  // the state, a letter
  for (double number = 0; words >> number;) numbers.push_back(number);
  return numbers;
}

double boot_time() {
  std::ifstream file("/proc/stat");
  for (std::string line; std::getline(file, line);) {
    if (line.rfind("btime ", 0) == 0) return std::stod(line.substr(6));
  }
  return 0;
}

/// The directory that is read is open as well, and is left out.
std::size_t open_files() {
  DIR* directory = ::opendir("/proc/self/fd");
  if (directory == nullptr) return 0;
  std::size_t count = 0;
  while (const dirent* entry = ::readdir(directory)) count += entry->d_name[0] != '.' ? 1 : 0;
  ::closedir(directory);
  return count - 1;
}

}  // namespace

void add_process(Snapshot& out) {
  // Places in proc(5)'s table of fields, less the three that are gone.
  constexpr std::size_t kUserTicks = 14 - 4, kSystemTicks = 15 - 4, kStartTicks = 22 - 4;
  constexpr std::size_t kVirtualBytes = 23 - 4, kResidentPages = 24 - 4;
  if (const std::vector<double> stat = own_stat(); stat.size() > kResidentPages) {
    const auto tick = static_cast<double>(::sysconf(_SC_CLK_TCK));
    const auto page = static_cast<double>(::sysconf(_SC_PAGESIZE));
    out.add(Family::kProcessCpu, (stat[kUserTicks] + stat[kSystemTicks]) / tick);
    out.add(Family::kProcessStart, boot_time() + stat[kStartTicks] / tick);
    out.add(Family::kProcessVirtual, stat[kVirtualBytes]);
    out.add(Family::kProcessResident, stat[kResidentPages] * page);
  }
  if (const std::size_t files = open_files(); files > 0) out.add(Family::kProcessFds, files);
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) == 0)
    out.add(Family::kProcessFdsMax, static_cast<double>(limit.rlim_cur));
}

}  // namespace liminal::prometheus
