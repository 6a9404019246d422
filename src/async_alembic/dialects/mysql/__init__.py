"""MySQL and MariaDB, on asyncmy, aiomysql and PyMySQL."""
