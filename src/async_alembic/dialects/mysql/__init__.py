"""MySQL and MariaDB, by asyncmy, aiomysql and PyMySQL."""
