use haproxy::config::{
    compile::Purpose,
    diagnostic::Level,
    load,
    outside::{RealOutside, Sockets},
};
fn main() {
    // reads names from stdin; each: chdir to dir, load file, print messages
    for line in std::io::stdin().lines() {
        let line = line.unwrap();
        let (dir, file) = line.split_once('\t').unwrap();
        std::env::set_current_dir(dir).unwrap();
        let mut o = RealOutside::new(Sockets::default());
        let r = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            load(&[file.into()], &mut o, None, Purpose { bind: false, cpus: 2 })
        }));
        println!("=== {line}");
        match r {
            Err(_) => println!("[PANIC]"),
            Ok(l) => {
                for d in &l.diagnostics.list {
                    println!("[{}] {}", d.level.word(), d.text);
                    let _ = Level::Alert;
                }
            }
        }
    }
}
